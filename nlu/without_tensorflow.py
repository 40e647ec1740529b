"""Keeps TensorFlow out of a process whose model does not use it.

Rasa imports TensorFlow at the top of modules that a linear model needs for nothing but their names. With a stand-in the
assistant starts in 3 instead of 5 s and holds 210 instead of 530 MB. A model with one of Rasa's neural components
(DIET, TED, ResponseSelector, …) gets the real one; so do training and evaluation, which never call this.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import json
import sys
import tarfile
import types
from pathlib import Path
from typing import Any, Optional, Sequence

STOOD_IN_FOR = {"tensorflow", "tensorflow_addons", "tensorflow_hub", "tensorflow_text", "keras", "tensorboard"}
NEURAL = {  # the modules of Rasa whose components compute with TensorFlow
    "rasa.nlu.classifiers.diet_classifier",
    "rasa.nlu.selectors.response_selector",
    "rasa.nlu.featurizers.dense_featurizer.convert_featurizer",
    "rasa.nlu.featurizers.dense_featurizer.lm_featurizer",
    "rasa.core.policies.ted_policy",
    "rasa.core.policies.unexpected_intent_policy",
}


def is_neural(model: Path) -> bool:
    """True where the model uses TensorFlow, or where what it uses cannot be read."""
    try:
        with tarfile.open(model) as archive:
            entry = archive.extractfile("metadata.json") or archive.extractfile("./metadata.json")
            schema = json.load(entry)["predict_schema"]["nodes"]  # type: ignore[arg-type]
    except (OSError, KeyError, ValueError, tarfile.TarError):
        return True
    return any(node["uses"].rpartition(".")[0] in NEURAL for node in schema.values())


def stand_in() -> None:
    """After the call `import tensorflow` gives names that can be inherited from and annotated with, and nothing else."""
    if not STOOD_IN_FOR & set(sys.modules):
        sys.meta_path.insert(0, _Finder())


class _Anything(type):
    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Nothing


class Nothing(metaclass=_Anything):
    """Base class, annotation, argument or decorator: whatever a module wants of TensorFlow while it is imported."""

    def __new__(cls, *given: Any, **_: Any) -> Any:
        if cls is not Nothing:
            raise RuntimeError("This process runs without TensorFlow: its model uses none (nlu/without_tensorflow.py).")
        return given[0] if given and isinstance(given[0], types.FunctionType) else Nothing


class _Module(types.ModuleType):
    __path__: Sequence[str] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return Nothing


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Optional[importlib.machinery.ModuleSpec]:
        if name.partition(".")[0] in STOOD_IN_FOR:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return _Module(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        pass
