"""Which services of the register a message names or means."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any, Dict, FrozenSet, Iterator, List, NamedTuple, Optional, Text, Tuple, Type

import yaml
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.constants import TOKENS_NAMES
from rasa.nlu.tokenizers.tokenizer import Tokenizer
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.constants import TEXT
from rasa.shared.nlu.training_data.message import Message

from nlu.arabic.fold import tokens
from nlu.components.heads import SERVICE_READING

FOLDER = "folder"
STOP_WORDS = "stop_words"
SAME_WORDS = "same_words"
SURE = "sure"
LEAST = "least"
BESIDE = 0.01  # from this confidence on others are told beside the best one
NONE = "none"  # the label of a message that means none of the register's services
AT_MOST = "at_most"
SERVICES = "services"

# Short words in front of Arabic words, and endings that say whose or how many: not part of what a service is called.
_FRONT = ("وال", "بال", "فال", "كال", "عال", "لل", "ال", "و", "ب", "ل", "ف")
_BACK = ("اتي", "اتنا", "تي", "تنا", "ته", "تها", "ات", "ين", "ون", "ها", "هم", "نا", "كم", "ي", "ه", "ت")
# The same of English words: renew, renewing, renewal.
_BACK_LATIN = ("ings", "als", "ing", "al", "ed", "es", "s", "e")
_AMERICAN = {"licens": "licenc"}

# Its stem is that of safety (السلامة), which services are named after.
_GREETING = frozenset({"السلام", "سلام"})


def stem(word: Text) -> Text:
    """A folded word without what its language hangs on it: والرخصة, رخصتي and رخصه are رخص, renewing and renewal are renew.

    Never shorter than three.
    """
    for front in _FRONT:
        if word.startswith(front) and len(word) - len(front) >= 3:
            word = word[len(front) :]
            break
    for back in _BACK_LATIN if word.isascii() else _BACK:
        if word.endswith(back) and len(word) - len(back) >= 3:
            word = word[: -len(back)]
            break
    return _AMERICAN.get(word, word)


class Phrase(NamedTuple):
    service: Text
    stems: Tuple[Text, ...]


class Named(NamedTuple):
    """How surely a message names a service, by how telling words, and whether the name stands there word by word."""

    confidence: float
    tells: float
    whole: bool


def _stems(text: Text) -> Tuple[Text, ...]:
    return tuple(stem(token.text) for token in tokens(text) if token.text[0].isalnum())


def read_same_words(path: Path) -> Dict[Text, Text]:
    """The stem of a word that means the same as another, and the stem of that one."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    pairs = [line.split("\t") for line in lines if "\t" in line and not line.startswith("#")]
    return {other: _stems(one)[0] for one, others in pairs for other in _stems(others)}


def read_stop_words(path: Path) -> FrozenSet[Text]:
    """Stems of words that do not tell which service is meant."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return frozenset(stem for line in lines if not line.startswith("#") for stem in _stems(line))


def read_phrases(folder: Path, stop_words: FrozenSet[Text], same_words: Dict[Text, Text]) -> List[Phrase]:
    """Every name and synonym of the register's services, without the stop words, one word for all that mean the same."""
    found = []
    for path in sorted(folder.glob("*.yml")):
        said = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        for service in _services_in(said):
            names = [service.get("name") or {}, service.get("synonyms") or {}]
            for words in (word for by_language in names for word in _words_in(by_language)):
                if stems := tuple(same_words.get(w, w) for w in _stems(words) if w not in stop_words):
                    found.append(Phrase(str(service["id"]), stems))
    return sorted(set(found))


def _services_in(said: Any) -> Iterator[Dict]:
    """A file holds one service, a list of them, or a list under `services`."""
    if isinstance(said, dict) and "id" not in said:
        said = said.get("services") or []
    for service in said if isinstance(said, list) else [said]:
        if isinstance(service, dict) and "id" in service:
            yield service


def _words_in(by_language: Dict) -> Iterator[Text]:
    for words in by_language.values():
        yield from [words] if isinstance(words, str) else words or []


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=False)
class ServiceLookup(GraphComponent):
    """Sets `services`: at most three ids of the register with a confidence, best first; an empty list when none is meant.

    «كم رسوم تجديد الرخصه الصناعيه» names the service whose synonym is «تجديد رخصة صناعية». A synonym that stands in the
    message whole weighs full; one of which only some telling words stand there, by how much these tell. «ابي ازيد خط انتاج
    في المصنع» names none: there the head decides that learned from messages labelled with their service.
    """

    @classmethod
    def required_components(cls) -> List[Type]:
        return [Tokenizer]

    @staticmethod
    def get_default_config() -> Dict[Text, Any]:
        return {
            # The register: YAML files of services with id, name and synonyms by language.
            FOLDER: "data/services",
            # Words that count for nothing.
            STOP_WORDS: "data/lookups/service_stop_words.txt",
            # Words that mean the same.
            SAME_WORDS: "data/lookups/service_words.tsv",
            # Below this share of a synonym's weight a service is not named.
            SURE: 0.65,
            # Below this confidence, names and meaning together, or where none is likelier, no service is told.
            LEAST: 0.1,
            # How many services are told.
            AT_MOST: 3,
        }

    def __init__(self, config: Dict[Text, Any]) -> None:
        if not 0 < config[SURE] <= 1:
            raise InvalidConfigException(f"ServiceLookup: {SURE}={config[SURE]!r}; expected above 0, at most 1.")
        folder = Path(config[FOLDER])
        self._sure, self._least, self._at_most = config[SURE], config[LEAST], config[AT_MOST]
        self._stop_words = read_stop_words(Path(config[STOP_WORDS]))
        self._same_words = read_same_words(Path(config[SAME_WORDS]))
        self._phrases = read_phrases(folder, self._stop_words, self._same_words) if folder.is_dir() else []
        services_with: Dict[Text, set] = {}
        self._phrases_with: Dict[Text, List[int]] = {}
        for at, phrase in enumerate(self._phrases):
            for word in set(phrase.stems):
                services_with.setdefault(word, set()).add(phrase.service)
                self._phrases_with.setdefault(word, []).append(at)
        count = max(1, len({phrase.service for phrase in self._phrases}))
        # A word of many services (تجديد, رخصة) tells little of which one is meant.
        self._weight = {word: math.log(1 + count / len(services)) for word, services in services_with.items()}

    @classmethod
    def create(
        cls,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> ServiceLookup:
        return cls(config)

    @classmethod
    def fingerprint_addon(cls, config: Dict[str, Any]) -> Optional[str]:
        """The register's files and the words beside them: a model is made anew when they change."""
        known = {**cls.get_default_config(), **config}
        digest = hashlib.sha256()
        words = [Path(known[STOP_WORDS]), Path(known[SAME_WORDS])]
        for path in [*sorted(Path(known[FOLDER]).glob("*.yml")), *words]:
            digest.update(path.read_bytes() if path.is_file() else b"")
        return digest.hexdigest()

    def process(self, messages: List[Message]) -> List[Message]:
        for message in messages:
            tokens_ = message.get(TOKENS_NAMES[TEXT]) or []
            stems = (stem(token.text) for token in tokens_ if token.text not in _GREETING)
            said = [self._same_words.get(word, word) for word in stems if word not in self._stop_words]
            meant = {one["name"]: one["confidence"] for one in message.get(SERVICE_READING) or []}
            message.set(SERVICES, self._told(self.named(said), meant), add_to_output=True)
        return messages

    def _told(self, named: Dict[Text, Named], meant: Dict[Text, float]) -> List[Dict[Text, Any]]:
        """The likeliest services by their names in the message and by what the message means, both together."""
        nothing = meant.get(NONE, 0.0)
        if any(name.whole for name in named.values()):
            # The head learned from some messages of each service; the register's owner knows what it is called.
            nothing /= 3
        likely = {service: meant.get(service, 0.0) for service in {*named, *meant} - {NONE}}
        for service, name in named.items():
            likely[service] = 1 - (1 - name.confidence * (1 - nothing)) * (1 - likely[service])
        # Of two that are equally sure, the one whose words tell more comes first.
        order = sorted(
            likely, key=lambda service: (-likely[service], -named[service].tells if service in named else 0, service)
        )
        if not order or likely[order[0]] < max(self._least, nothing):
            return []
        told = [service for service in order[: self._at_most] if likely[service] >= BESIDE]
        return [{"id": service, "confidence": round(likely[service], 3)} for service in told]

    def named(self, said: List[Text]) -> Dict[Text, Named]:
        """The services that these stems name.

        A name that is part of another whole name in the message is not its own: «تجديد الرخصة الصناعية» names the renewal,
        not the licence.
        """
        places: Dict[Text, List[int]] = {}
        for at, word in enumerate(said):
            places.setdefault(word, []).append(at)
        best: Dict[Text, Tuple[Named, FrozenSet[Text]]] = {}
        whole: List[Tuple[Text, FrozenSet[Text]]] = []
        for at in sorted({at for word in places for at in self._phrases_with.get(word, ())}):
            phrase = self._phrases[at]
            name, stems = self._name(phrase.stems, said, places), frozenset(phrase.stems)
            if name.confidence >= self._sure:
                if stems <= places.keys():
                    whole.append((phrase.service, stems))
                if phrase.service not in best or name > best[phrase.service][0]:
                    best[phrase.service] = (name, stems)
        return {
            service: name
            for service, (name, stems) in best.items()
            if not any(other != service and stems < longer for other, longer in whole)
        }

    def _name(self, stems: Tuple[Text, ...], said: List[Text], places: Dict[Text, List[int]]) -> Named:
        all_of_it = sum(self._weight[word] for word in stems)
        if any(_stand_at(stems, said, at) for at in places.get(stems[0], ())):
            return Named(min(0.98, 0.8 + 0.05 * all_of_it), all_of_it, True)
        told = {word for word in stems if word in places}
        # One word of a longer name is nobody's name, and Chinese characters apart from each other are other words.
        if len(told) < 2 or any("\u3400" <= word[0] <= "\u9fff" for word in told):
            return Named(0.0, 0.0, False)
        there = sum(self._weight[word] for word in stems if word in places)
        return Named(0.8 * there / all_of_it, there, False)


def _stand_at(stems: Tuple[Text, ...], said: List[Text], at: int) -> bool:
    return tuple(said[at : at + len(stems)]) == stems
