"""The local provider alone: `python -m channels.simulator --port N --house URL`, on loopback and nowhere else."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import os
import socket
import sys
from collections.abc import Sequence

import uvicorn

from channels.simulator.server import app
from channels.simulator.world import World


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until it is told to stop. Ends at once, with the reason, where it is asked to listen off loopback."""
    asked = _asked(arguments)
    try:
        listening = listen(asked.host, asked.port)
    except (OSError, ValueError) as error:
        sys.exit(f"simulator: {error}")
    asyncio.run(_serve(uvicorn.Server(_config(_world(asked.house))), listening))


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises ValueError for what is not loopback."""
    if not ipaddress.ip_address(host).is_loopback:
        raise ValueError(f"{host} is not loopback: anybody there could speak as anybody")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    return listening


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m channels.simulator", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="0: a free one")
    parser.add_argument("--house", required=True, help="the base address of the house, as it knows itself")
    parser.add_argument("--host", default="127.0.0.1")
    return parser.parse_args(arguments)


def _world(house: str) -> World:
    """The world that the environment names, as the house reads it."""
    return World(
        account_sid=os.environ.get("TWILIO_ACCOUNT_SID", ""),
        auth_token=os.environ.get("TWILIO_AUTH_TOKEN", ""),
        bot_token=os.environ.get("TELEGRAM_BOT_TOKEN", ""),
        secret_token=os.environ.get("TELEGRAM_SECRET_TOKEN", ""),
        whatsapp_from=os.environ.get("TWILIO_WHATSAPP_FROM", ""),
        sms_from=os.environ.get("TWILIO_SMS_FROM", ""),
        house=house,
    )


def _config(world: World) -> uvicorn.Config:
    # a connection that is cut on purpose is an error to the server, and would fill the terminal
    return uvicorn.Config(app(world), log_level="critical", access_log=False, lifespan="off")


async def _serve(server: uvicorn.Server, listening: socket.socket) -> None:
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    host, port = listening.getsockname()[:2]
    sys.stdout.write(f"simulator: http://{f'[{host}]' if ':' in host else host}:{port}\n")
    sys.stdout.flush()
    await serving


if __name__ == "__main__":
    main()
