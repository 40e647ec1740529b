"""A tiny model, trained for one epoch through Rasa's real graph, for tests of components and tools."""

import itertools
import json
from pathlib import Path

import pytest
import yaml

import nlu.quiet  # noqa: F401  (before Rasa)

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session", autouse=True)
def at_the_root():
    """Components find their tables from where Rasa is started: the root of the repository."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        yield


@pytest.fixture(scope="session")
def config():
    return yaml.safe_load((ROOT / "config.yml").read_text(encoding="utf-8"))


def _a_few_messages() -> list[str]:
    """Every sixtieth message of every source, so that all labels and languages are there."""
    paths = sorted((ROOT / "data" / "nlu").glob("*.jsonl"))
    return [
        line for path in paths for line in itertools.islice(path.read_text(encoding="utf-8").splitlines(), 0, None, 60)
    ]


@pytest.fixture(scope="session")
def tiny_config(tmp_path_factory, config):
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "messages").mkdir()
    (folder / "messages" / "few.jsonl").write_text("\n".join(_a_few_messages()) + "\n", encoding="utf-8")
    tiny = json.loads(json.dumps(config))
    tiny["importers"] = [{"name": "nlu.importer.LabelledMessages", "messages": "messages"}]
    for component in tiny["pipeline"]:
        if component["name"].endswith("Heads"):
            component["epochs"] = 1
    path = folder / "config.yml"
    path.write_text(yaml.safe_dump(tiny, allow_unicode=True), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tiny_model(tiny_config):
    from rasa.model_training import train

    models = tiny_config.parent / "models"
    return Path(train("data/dialogue", str(tiny_config), ["data/rules"], str(models), fixed_model_name="tiny").model)


@pytest.fixture(scope="session")
def tiny_reader(tiny_model):
    from nlu.model import Reader

    return Reader(tiny_model)
