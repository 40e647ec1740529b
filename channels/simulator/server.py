"""The local provider as one ASGI application."""

from __future__ import annotations

from starlette.applications import Starlette

from channels.simulator import doors, page, telegram_api, twilio_api
from channels.simulator.play import Play
from channels.simulator.world import World


def app(world: World) -> Starlette:
    """Twilio, Telegram, the control door and the page over this world; `state.play` is what its people can do."""
    play = Play(world)
    served = Starlette(
        routes=[
            *twilio_api.routes(world, play.callbacks),
            *telegram_api.routes(world, play.bot),
            *doors.routes(world, play),
            *page.routes(world.prefix),
        ]
    )
    served.state.play = play
    return served
