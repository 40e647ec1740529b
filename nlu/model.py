"""The trained model of these inputs: its name, and reading messages with it without a server."""

from __future__ import annotations

import hashlib
import logging
import re
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Sequence, Text, Tuple

import nlu.quiet  # noqa: F401  (before Rasa)

NAME = "sawt"
MODELS = Path("models")
# What a model is made of. Whatever changes here makes another model.
INPUTS = (
    "config.yml",
    "data/nlu/*.jsonl",
    "data/lookups/*",
    "data/services/*.yml",
    "data/dialogue/*.yml",
    "data/rules/*.yml",
    "models/encoder/SHA256SUMS",
    "nlu/arabic/*.py",
    "nlu/arabic/tables/*.tsv",
    "nlu/components/*.py",
    "nlu/importer.py",
    "nlu/uv.lock",
)


def inputs_hash(root: Path = Path(".")) -> str:
    """One hash over the names and contents of all inputs."""
    digest = hashlib.sha256()
    for pattern in INPUTS:
        for path in sorted(root.glob(pattern)):
            digest.update(f"{path.relative_to(root)}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def model_path(root: Path = Path(".")) -> Path:
    """Where the model of the present inputs is, or will be."""
    return root / MODELS / f"{NAME}-{inputs_hash(root)}.tar.gz"


class Reader:
    """A trained model, loaded: what `rasa shell nlu` would say, in bulk and without a server."""

    def __init__(self, archive: Path) -> None:
        # Imported here: a help text or a wrong argument need not wait for TensorFlow.
        from rasa.core.agent import Agent
        from rasa.utils.log_utils import configure_structlog

        configure_structlog(logging.WARNING)
        agent = Agent.load(str(archive))
        self._processor = agent.processor
        if self._processor is None:
            raise SystemExit(f"{archive}: cannot be loaded. Remove it and train again: python -m nlu.train")
        self._components = _nlu_components(self._processor.graph_runner)

    def read(self, text: Text) -> Dict[Text, Any]:
        return self.read_all([text])[0]

    def read_all(self, texts: Sequence[Text]) -> List[Dict[Text, Any]]:
        """What the pipeline says of each text; keys that it left empty are there and None."""
        from rasa.shared.nlu.training_data.message import Message

        messages = [Message.build(text) for text in texts]
        for message in messages:
            # Empty text would be no text to the components.
            message.set("text", message.get("text") or "", add_to_output=True)
        for component in self._components:
            messages = component.process(messages)
        return [_result(message) for message in messages]

    def timed(self, texts: Sequence[Text]) -> Iterator[Tuple[Dict[Text, Any], float]]:
        """One by one, with the milliseconds each took."""
        for text in texts:
            started = time.perf_counter()
            result = self.read(text)
            yield result, (time.perf_counter() - started) * 1000


def _nlu_components(runner: Any) -> List[Any]:
    """The pipeline's components in their order, out of Rasa's prediction graph."""
    parts = {
        name: node._component
        for name, node in runner._instantiated_nodes.items()
        if name.startswith("run_") and type(node._component).__module__.startswith("nlu.components")
    }
    # Rasa numbers the nodes of a pipeline: run_FoldingTokenizer0, run_NgramFeaturizer1, …
    return [parts[name] for name in sorted(parts, key=_place)]


def _place(node: Text) -> int:
    number = re.search(r"\d+$", node)
    return int(number[0]) if number else 0


def _result(message: Any) -> Dict[Text, Any]:
    said = message.as_dict(only_output_properties=True)
    return {
        "text": message.get("text"),
        "intent": said.get("intent"),
        "category": said.get("category"),
        "category_reading": said.get("category_reading"),
        "language": said.get("language"),
        "services": said.get("services", []),
        "flags": said.get("flags", []),
        "entities": said.get("entities", []),
        "intent_ranking": said.get("intent_ranking", []),
    }
