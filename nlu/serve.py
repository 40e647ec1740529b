"""Serves the assistant to the house: `nlu/.venv/bin/python -m nlu.serve [--model models/x.tar.gz]`, from the root.

Loopback only, the house's channel only, no HTTP API, no telemetry. Prints `assistant ready` when a turn can be answered.
Ends with one sentence and status 2 where the model, ASSISTANT_SECRET or the port is missing.

Environment: ASSISTANT_SECRET (required), RASA_PORT (5005), ACTIONS_PORT (5055), LOG_LEVEL (INFO).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn, Optional, Sequence

import nlu.quiet  # noqa: F401
from nlu.model import MODELS, model_path

HOST = "127.0.0.1"
STOP_SECONDS = 4  # what a turn in progress gets on SIGTERM

# Before Rasa is imported, beside nlu/quiet.py: no GPU to look for, no thread more than the one, no model of transformers
# (they bring a tokenizer).
QUIET = {
    "TF_INTRA_OP_PARALLELISM_THREADS": "1",
    "TF_INTER_OP_PARALLELISM_THREADS": "1",
    "CUDA_VISIBLE_DEVICES": "-1",
    "TOKENIZERS_PARALLELISM": "false",
    "USE_TF": "0",
    "SQLALCHEMY_SILENCE_UBER_WARNING": "1",
}

log = logging.getLogger("sawt.assistant")


class CannotStart(Exception):
    """The assistant cannot be served; the sentence says what to do."""


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Serve until SIGTERM or SIGINT; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m nlu.serve", description="Serve the assistant to the house.")
    parser.add_argument("--model", help="a trained model, or a folder of them (default: the newest in models/)")
    parser.add_argument("--endpoints", default="endpoints.yml")
    parser.add_argument("--credentials", default="nlu/credentials.yml")
    options = parser.parse_args(arguments)
    try:
        listener = bound(port("RASA_PORT", "5005"))
        os.environ["ACTIONS_PORT"] = str(port("ACTIONS_PORT", "5055"))
        if not os.environ.get("ASSISTANT_SECRET"):
            raise CannotStart("ASSISTANT_SECRET is not set: the house and the assistant share one secret.")
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        quiet(os.environ.get("LOG_LEVEL", "INFO"))
        model = newest(Path(options.model or MODELS))
        if not options.model and model != model_path():
            log.warning("%s is not of the present data and rules: python -m nlu.train makes the one that is", model)
        app = assistant(model, options.endpoints, options.credentials)
    except CannotStart as reason:
        print(f"The assistant cannot start: {reason}", file=sys.stderr)
        return 2
    app.run(sock=listener, access_log=False, motd=False, debug=False)
    return 0


def port(name: str, default: str) -> int:
    """The port an environment variable names; raises CannotStart."""
    value = os.environ.get(name) or default
    if not value.isascii() or not value.isdigit() or not 0 < int(value) < 65536:
        raise CannotStart(f"{name} must be a port number, not {value!r}.")
    return int(value)


def bound(number: int) -> socket.socket:
    """A socket of that port on loopback; nobody is answered until the server listens. Raises CannotStart."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, number))
    except OSError as error:
        listener.close()
        raise CannotStart(f"port {number} of {HOST} cannot be taken ({error.strerror}): set RASA_PORT.") from None
    return listener


def newest(place: Path) -> Path:
    """The model at that path, or the newest one in that folder; raises CannotStart."""
    if place.is_file():
        return place
    models = sorted(place.glob("*.tar.gz"), key=lambda path: path.stat().st_mtime)
    if not models:
        raise CannotStart(f"there is no model at {place}: train one with `nlu/.venv/bin/python -m nlu.train`.")
    return models[-1]


def assistant(model: Path, endpoints_file: str, credentials_file: str) -> Any:
    """The server with the model loaded and warm; raises CannotStart."""
    for path in (endpoints_file, credentials_file):
        if not Path(path).is_file():
            raise CannotStart(f"{path} is not here: start from the root of the repository.")
    import_fast(model)
    import rasa.core.channels.channel
    import rasa.shared.utils.io
    from rasa.core.agent import Agent
    from rasa.core.tracker_store import TrackerStore
    from rasa.core.utils import AvailableEndpoints
    from rasa.shared.exceptions import RasaException
    from sanic import Sanic

    from nlu.channel import MAX_HISTORY_BODY, HouseChannel
    from nlu.tracker import HouseEndpoint, quicken

    quiet_rasa()
    quicken()
    try:
        endpoints = AvailableEndpoints.read_endpoints(endpoints_file)
        credentials = rasa.shared.utils.io.read_config_file(credentials_file)
        if list(credentials) != ["nlu.channel.HouseChannel"]:
            raise CannotStart(f"{credentials_file} must name nlu.channel.HouseChannel and no other channel.")
        channel = HouseChannel.from_credentials(credentials["nlu.channel.HouseChannel"])
        house = HouseEndpoint.of(endpoints.action)
        agent = Agent.load(
            model,
            generator=endpoints.nlg,
            tracker_store=TrackerStore.create(endpoints.tracker_store),
            action_endpoint=house,
        )
        warm(agent)
    except CannotStart:
        raise
    except RasaException as error:
        raise CannotStart(str(error)) from None
    except Exception as error:
        raise CannotStart(f"{model} cannot be loaded ({type(error).__name__}: {error}): train it again.") from error

    app = Sanic("sawt_assistant", configure_logging=False)
    app.config.REQUEST_MAX_SIZE = MAX_HISTORY_BODY + 1
    app.config.KEEP_ALIVE_TIMEOUT = 300  # the house keeps its connections for less
    app.config.GRACEFUL_SHUTDOWN_TIMEOUT = STOP_SECONDS
    app.config.ACCESS_LOG = False
    app.ctx.agent = agent
    rasa.core.channels.channel.register([channel], app, route="/webhooks/")

    @app.listener("after_server_start")
    async def ready(*_: Any) -> None:
        gc.collect()
        gc.freeze()  # half a million objects that stay: no collection need look at them again
        print("assistant ready", flush=True)

    @app.listener("after_server_stop")
    async def hang_up(*_: Any) -> None:
        await house.close()

    return app


def import_fast(model: Path) -> None:
    """Import what takes long: without TensorFlow where the model needs none, and without side effects."""
    from nlu.without_tensorflow import is_neural, stand_in

    if not is_neural(model):
        stand_in()
    # One of Rasa's channels (webexteamssdk) runs git when imported, to learn its own version.
    git = os.environ.get("GIT_DIR")
    os.environ["GIT_DIR"] = os.devnull
    import rasa.core.channels  # noqa: F401

    del os.environ["GIT_DIR"]
    if git is not None:
        os.environ["GIT_DIR"] = git


def warm(agent: Any) -> None:
    """Read and predict once, so that the first person does not wait for what is loaded lazily."""

    async def once() -> None:
        await agent.parse_message("مرحبا، أريد تقديم شكوى")
        tracker = agent.tracker_store.init_tracker("warm")
        agent.predict_next_with_tracker(tracker)

    asyncio.run(once())


class _WhereNotWhat(logging.Filter):
    """What Rasa and its libraries say may quote a message or a slot: only where they said it is written."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith("sawt"):
            kind = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else ""
            record.msg, record.args = f"{record.filename}:{record.lineno} {kind}".rstrip(), ()
            record.exc_info = record.exc_text = record.stack_info = None
        return True


def quiet(level: str) -> None:
    """Logs go to stderr; of others than us only warnings and errors, and never their words."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    handler.addFilter(_WhereNotWhat())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    log.setLevel(level.upper() if level.upper() in ("DEBUG", "INFO", "WARNING", "ERROR") else "INFO")


def quiet_rasa() -> None:
    """After Rasa is imported: its structured log, which carries texts and slots as fields, goes through the same door."""
    import structlog

    def refuse(_: Any, name: str, event: dict) -> NoReturn:
        log.warning("rasa %s: %s", name, event.get("event") if event.get("event", "").isascii() else "")
        raise structlog.DropEvent

    structlog.configure(
        processors=[refuse],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        cache_logger_on_first_use=True,
    )
    for name in ("rasa", "sanic.root", "sanic.error", "asyncio", "aiohttp", "apscheduler"):
        logging.getLogger(name).setLevel(logging.WARNING)


if __name__ == "__main__":
    sys.exit(main())
