"""Train the assistant's model from config.yml and data/ into models/, unless it is there already.

python -m nlu.train [--force]
"""

import logging
import sys
import time
from pathlib import Path

import nlu.quiet  # noqa: F401
from nlu.model import MODELS, model_path

DOMAIN = Path("data/dialogue")
RULES = Path("data/rules")


class Stages(logging.Handler):
    """Rasa's notes on its components, each with the seconds since the beginning."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._started = time.monotonic()

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self._started:6.1f} s  {text}", flush=True)

    def emit(self, record: logging.LogRecord) -> None:
        self.say(record.getMessage())


def _without_fingerprints() -> None:
    """Rasa hashes every message after every component for a cache that is off: half a minute for nothing."""
    from rasa.engine.training.hooks import TrainingHook

    TrainingHook.on_before_node = lambda *args, **kwargs: {}
    TrainingHook.on_after_node = lambda *args, **kwargs: None


def train(force: bool = False) -> Path:
    """The path of the model of the present inputs, trained if need be."""
    wanted = model_path()
    if wanted.exists() and not force:
        print(f"{wanted} is there already: nothing changed.")
        return wanted
    stages = Stages()
    stages.say(f"training {wanted.name}")
    from rasa.model_training import train as rasa_train
    from rasa.utils.log_utils import configure_structlog

    configure_structlog(logging.WARNING)  # else every step of the rules' training is a line
    from rasa.utils.log_utils import configure_structlog

    # Unconfigured, it prints every rule with every state.
    configure_structlog(logging.WARNING)
    components = logging.getLogger("rasa.engine.training.hooks")
    components.setLevel(logging.INFO)
    components.propagate = False
    components.addHandler(stages)
    _without_fingerprints()
    stages.say("libraries loaded")
    MODELS.mkdir(exist_ok=True)
    result = rasa_train(
        domain=str(DOMAIN),
        config="config.yml",
        training_files=[str(RULES)] if RULES.is_dir() else [],
        output=str(MODELS),
        force_training=True,
        fixed_model_name=wanted.name.removesuffix(".tar.gz"),
    )
    if result.code or not wanted.exists():
        raise SystemExit(f"training failed (code {result.code}); the lines above tell why.")
    stages.say(f"done: {wanted}, {wanted.stat().st_size / 1e6:.1f} MB")
    return wanted


if __name__ == "__main__":
    train(force="--force" in sys.argv[1:])
