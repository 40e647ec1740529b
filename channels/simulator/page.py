"""The page on which a developer plays, and its files: nothing inline, nothing from elsewhere."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Route

FILES = Path(__file__).parent / "static"
TYPES = {"simulator.js": "text/javascript", "simulator.css": "text/css", "icon.svg": "image/svg+xml"}
CSP = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'"


def routes(prefix: str) -> list[Route]:
    """The page at the root of the application, and its files."""
    shown = (FILES / "simulator.html").read_text(encoding="utf-8").replace("{prefix}", prefix)

    async def page(request: Request) -> Response:
        return HTMLResponse(shown, headers={"Content-Security-Policy": CSP})

    async def file(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in TYPES:
            return Response(status_code=404)
        return FileResponse(FILES / name, media_type=TYPES[name], headers={"Cache-Control": "no-cache"})

    return [Route("/", page), Route("/static/{name}", file)]
