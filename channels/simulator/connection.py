"""What a fault does to the connection on which a send is asked for."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from channels.simulator.faults import Fault


class Cut(Response):
    """An answer that never ends: the server closes the connection in the middle of it."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})


async def before(fault: Fault | None, request: Request) -> Cut | None:
    """The end of the connection, where nothing is to be accepted of this request; None: it goes on."""
    if fault and fault.kind == "lost":
        return Cut()
    if fault and fault.kind == "hang":
        await asyncio.sleep(fault.seconds)
        return Cut() if await request.is_disconnected() else None
    return None


async def after(fault: Fault | None) -> Cut | None:
    """The end of the connection, where the accepted request is not to be answered; None: it is answered."""
    if fault and fault.kind == "accept_then_cut":
        await asyncio.sleep(fault.seconds)
        return Cut()
    return None
