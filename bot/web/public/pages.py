"""The static public pages: the privacy notice and the help page, in three languages.

The notice has the version `PRIVACY` of bot/handlers/house.py: change it together with templates/privacy.*.html, since
what a person was shown is recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.responses import Response

from bot.handlers.house import PRIVACY
from bot.web.public.assets import SHORT, Asset

HERE = Path(__file__).parent
LANGUAGES = ("ar", "en", "zh")

SITE = Asset((HERE / "static/site.css").read_bytes(), "text/css; charset=utf-8")
ICON = Asset((HERE / "static/icon.svg").read_bytes(), "image/svg+xml")

Say = Callable[..., str]


def render(template: str, folder: Path, say: Say, lang: str, path: str, **more: Any) -> Asset:
    """One page in one language. Nothing personal is in it, so that it is made once and served to all."""

    def here(name: str, **params: Any) -> str:
        return say(name, lang, **params)

    def to(address: str, language: str = lang) -> str:
        return address if language == LANGUAGES[0] else f"{address}?lang={language}"

    text = (
        _templates(folder)
        .get_template(template)
        .render(say=here, to=to, lang=lang, path=path, site=SITE.version, version=PRIVACY, **more)
    )
    return Asset(text.encode(), "text/html; charset=utf-8")


def router(say: Say) -> APIRouter:
    """/privacy, /help, and the style sheet and icon of all public pages, to be included at the root of the app."""
    found = APIRouter(include_in_schema=False)
    for name in ("privacy", "help"):
        made = {lang: render(f"{name}.{lang}.html", HERE / "templates", say, lang, f"/{name}") for lang in LANGUAGES}
        found.add_api_route(f"/{name}", partial(_page, made), methods=["GET", "HEAD"], name=name)
    for path, asset in (("/site.css", SITE), ("/icon.svg", ICON)):
        found.add_api_route(path, partial(_file, asset), methods=["GET", "HEAD"], name=path)
    return found


@cache
def _templates(folder: Path) -> Environment:
    return Environment(
        loader=FileSystemLoader([folder, HERE / "templates"]),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


async def _page(made: dict[str, Asset], request: Request) -> Response:
    return made.get(request.query_params.get("lang", ""), made[LANGUAGES[0]]).answer(request)


async def _file(asset: Asset, request: Request) -> Response:
    return asset.answer(request, SHORT)
