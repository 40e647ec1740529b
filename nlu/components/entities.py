"""Numbers, dates and sums that people write, with offsets into the message as it was written."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Set, Text, Type

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.constants import TOKENS_NAMES
from rasa.nlu.extractors.extractor import EntityExtractorMixin
from rasa.nlu.tokenizers.tokenizer import Token, Tokenizer
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.constants import ENTITIES, TEXT
from rasa.shared.nlu.training_data.message import Message

from nlu.arabic.digits import to_latin
from nlu.arabic.fold import fold
from nlu.arabic.references import number_runs, references, transaction_numbers
from nlu.components.tokenizer import READ

WORDS = "words"
KINDS = ("date", "currency")

_PHONE = re.compile(r"(?:00)?(?:9665\d{8}|9627[789]\d{7}|20[1]\d{9}|9715\d{8})|05\d{8}|07[789]\d{7}", re.ASCII)
# Saudi citizens 1, residents 2; Jordanians 9 or 2.
_NATIONAL_ID = re.compile(r"[129]\d{9}", re.ASCII)
_DATE = re.compile(r"(?<!\d)(?:\d{1,2}[/.-]\d{1,2}[/.-](?:\d{4}|\d{2})|\d{4}[/.-]\d{1,2}[/.-]\d{1,2})(?!\d)", re.ASCII)


class Found(NamedTuple):
    entity: Text
    value: Text
    start: int
    end: int


def _long_numbers(text: Text) -> Iterator[Found]:
    """Telephones and national ids: numbers of one run of groups."""
    for groups in number_runs(text):
        digits = "".join(group.digits for group in groups)
        start, end = groups[0].start, groups[-1].end
        if _PHONE.fullmatch(digits):
            yield Found("phone", digits, start, end)
        elif _NATIONAL_ID.fullmatch(digits):
            yield Found("national_id", digits, start, end)


def _dates(text: Text) -> Iterator[Found]:
    for match in _DATE.finditer(to_latin(text)):
        yield Found("date", match[0], match.start(), match.end())


def _words(tokens: List[Token], words: Dict[Text, Set[Text]]) -> Iterator[Found]:
    """Date words, and a number beside the name of a currency."""
    for at, token in enumerate(tokens):
        if token.text in words["date"]:
            yield Found("date", token.text, token.start, token.end)
        if token.text in words["currency"]:
            beside = [tokens[place] for place in (at - 1, at + 1) if 0 <= place < len(tokens)]
            number = next((other for other in beside if other.text.isascii() and other.text.isdigit()), None)
            if number:
                first, last = sorted((number, token), key=lambda part: part.start)
                yield Found("amount", number.text, first.start, last.end)


def read_words(path: Path) -> Dict[Text, Set[Text]]:
    """The table's words by kind, folded."""
    found: Dict[Text, Set[Text]] = {kind: set() for kind in KINDS}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        kind, _, said = line.partition("\t")
        if kind not in found:
            raise InvalidConfigException(f"{path}, line {number}: kind {kind!r}; expected one of {', '.join(KINDS)}.")
        found[kind].update(fold(word) for word in said.split())
    return found


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.ENTITY_EXTRACTOR, is_trainable=False)
class NumbersAndDates(GraphComponent, EntityExtractorMixin):
    """Adds entities: reference, transaction_number, phone, national_id, date, amount. Those already there stay.

    «معاملتي رقم ٤٤٠٢١ من امس» has transaction_number `44021` at 12–17 and date `امس` at 21–24, in the original's offsets.
    """

    @classmethod
    def required_components(cls) -> List[Type]:
        return [Tokenizer]

    @staticmethod
    def get_default_config() -> Dict[Text, Any]:
        return {
            # Words for dates and currencies: kind <tab> words.
            WORDS: "data/lookups/entity_words.tsv",
        }

    def __init__(self, config: Dict[Text, Any]) -> None:
        path = Path(config[WORDS])
        if not path.is_file():
            raise InvalidConfigException(f"NumbersAndDates: {WORDS}={path}; there is no such file in {Path.cwd()}.")
        self._words = read_words(path)

    @classmethod
    def create(
        cls,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> NumbersAndDates:
        return cls(config)

    @classmethod
    def fingerprint_addon(cls, config: Dict[str, Any]) -> Optional[str]:
        path = Path(config.get(WORDS, cls.get_default_config()[WORDS]))
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None

    def process(self, messages: List[Message]) -> List[Message]:
        for message in messages:
            found = [
                {**one._asdict(), "extractor": type(self).__name__, "confidence_entity": 1.0}
                for one in self.found(message)
            ]
            message.set(ENTITIES, (message.get(ENTITIES) or []) + found, add_to_output=True)
        return messages

    def found(self, message: Message) -> List[Found]:
        """Everything found, in the order of the text."""
        text = (message.get(TEXT) or "")[:READ]
        tokens = message.get(TOKENS_NAMES[TEXT]) or []
        said = [Found("reference", *number) for number in references(text)]
        said += [Found("transaction_number", *number) for number in transaction_numbers(text)]
        said += [*_long_numbers(text), *_dates(text), *_words(tokens, self._words)]
        return sorted(set(said), key=lambda one: (one.start, one.end, one.entity))
