"""Training data from JSONL files: thirty thousand messages are read in a second, where YAML takes minutes.

Domain, rules and stories come as with any Rasa project, from `--domain` and `--data`; the messages come from the folder
named in `config.yml`:

    importers:
    - name: nlu.importer.LabelledMessages
      messages: data/nlu
"""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any, Iterator, List, Optional, Text, Union

from rasa.shared.exceptions import InvalidConfigException, RasaException
from rasa.shared.importers.rasa import RasaFileImporter
from rasa.shared.nlu.constants import INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from rasa.shared.utils.common import cached_method

LABELS = ("category", "lang", "variety", "source", "flags", "service")
_PLAIN = {TEXT, INTENT, *LABELS}


def read_messages(folder: Path) -> Iterator[dict]:
    """The labelled messages of a folder, file by file in the order of their names."""
    paths = sorted(folder.glob("*.jsonl"))
    if not paths:
        raise InvalidConfigException(f"LabelledMessages: no *.jsonl in {folder.resolve()} (the importer's `messages`).")
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
            if not line.strip():
                continue
            try:
                labelled = json.loads(line)
                labelled[TEXT], labelled[INTENT]
            except (ValueError, KeyError) as error:
                raise RasaException(
                    f"{path}, line {number}: expected JSON with text and intent ({error!r})."
                ) from error
            yield labelled


def with_courtesies(messages: List[dict], courtesies: dict, share: float) -> Iterator[dict]:
    """Copies of some messages with a greeting before or thanks behind: what is asked stays what it was.

    «لي شهر انتظر» is a complaint, and so are «السلام عليكم لي شهر انتظر» and «لي شهر انتظر وجزاكم الله خير».
    """
    for labelled in messages:
        # Each message draws its own: a new line changes no other line's copy.
        chance = random.Random(labelled[TEXT].encode("utf-8", "surrogatepass"))
        before, behind = courtesies.get(labelled.get("lang"), ([], []))
        # A bare greeting with a greeting before it teaches nothing.
        if not labelled.get("category") or chance.random() >= share:
            continue
        text = labelled[TEXT]
        if before and chance.random() < 0.75:
            text = f"{chance.choice(before)}{chance.choice([' ', '، ', chr(10), ' '])}{text}"
        if behind and (text == labelled[TEXT] or chance.random() < 0.3):
            text = f"{text}{chance.choice([' ', '، ', '. '])}{chance.choice(behind)}"
        if text != labelled[TEXT]:
            yield {**labelled, TEXT: text}


def read_courtesies(path: Path) -> dict:
    """Greetings and thanks by language: the file's rows are language, place (before, behind), words."""
    found: dict = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            language, place, words = line.split("\t")
            found.setdefault(language, ([], []))[place == "behind"].append(words)
    return found


class _Labelled(Message):
    """A message that is cheap to copy and to hash: Rasa copies and hashes all of them five times before training."""

    @classmethod
    def of(cls, line: dict) -> _Labelled:
        return cls({key: line[key] for key in (TEXT, INTENT, *LABELS) if line.get(key) is not None})

    def fingerprint(self) -> Text:
        if self._cached_fingerprint is None and not self.features and self.data.keys() <= _PLAIN:
            said = json.dumps(self.data, sort_keys=True).encode()
            self._cached_fingerprint = hashlib.md5(said, usedforsecurity=False).hexdigest()
        return super().fingerprint()

    def __deepcopy__(self, memo: dict) -> _Labelled:
        copied = type(self)(dict(self.data), set(self.output_properties), self.time, list(self.features))
        copied._cached_fingerprint = self._cached_fingerprint
        return copied


class LabelledMessages(RasaFileImporter):
    """Rasa's file importer, and beside its NLU files the messages of a folder of JSONL."""

    def __init__(
        self,
        config_file: Optional[Text] = None,
        domain_path: Optional[Text] = None,
        training_data_paths: Optional[Union[List[Text], Text]] = None,
        messages: Text = "data/nlu",
        courtesies: Optional[Text] = None,
        courtesy_share: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(config_file, domain_path, training_data_paths)
        if kwargs:
            raise InvalidConfigException(
                f"LabelledMessages: unknown settings {sorted(kwargs)}; known are messages, courtesies, courtesy_share."
            )
        root = Path(config_file).resolve().parent if config_file else Path.cwd()
        self._messages = root / messages
        self._courtesies = root / courtesies if courtesies else None
        self._courtesy_share = courtesy_share

    @cached_method
    def get_nlu_data(self, language: Optional[Text] = "en") -> TrainingData:
        """Messages whose data carry the labels beside text and intent; a changed line changes their fingerprint."""
        labelled = list(read_messages(self._messages))
        if self._courtesies:
            courtesies = read_courtesies(self._courtesies)
            # A list of its own: a copy of a copy greets twice.
            labelled = [*labelled, *with_courtesies(labelled, courtesies, self._courtesy_share)]
        return super().get_nlu_data(language).merge(TrainingData([_Labelled.of(line) for line in labelled]))
