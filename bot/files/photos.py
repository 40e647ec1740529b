"""Photos, written anew: the picture stays, what was said beside it is gone. Pillow's only door."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import Any

from PIL import ExifTags, Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile

from bot.files.sniff import GIF, JPEG, PNG, WEBP, NotKept, Type

PIXELS = 50_000_000
"""Of a picture, or of all pictures of an animation together: the largest that telephones take."""
PICTURES = 1_000
SCANS = 250
"""Passes in which a JPEG may be drawn. A few bytes make one, and each goes over the whole picture; ten are usual."""

Image.MAX_IMAGE_PIXELS = PIXELS
warnings.simplefilter("error", Image.DecompressionBombWarning)


def rewritten(data: bytes, type: Type) -> bytes:
    """The photo without its metadata. Raises NotKept, and whatever the libraries do with a broken one."""
    return _PHOTOS[type](data)


# each picture of an animation is put together when it is read, so it replaces the one before when it is written


def _jpeg(data: bytes) -> bytes:
    """The same picture with the same tables, so hardly anything is lost, and of its metadata which side is up."""
    if data.count(b"\xff\xda") > SCANS:
        raise NotKept("unreadable")
    image = JpegImageFile(BytesIO(data))  # `Image.open` would make an album of what a new telephone takes
    _measure(image)
    exif, side = Image.Exif(), ExifTags.Base.Orientation
    with suppress(Exception):  # metadata that cannot be read turns nothing
        if image.getexif()[side] in range(2, 9):
            exif[side] = image.getexif()[side]
    return _saved(image, "JPEG", quality="keep", comment=b"", exif=exif)


def _png(data: bytes) -> bytes:
    image, moves = _opened(data, "PNG")
    if moves:
        return _saved(image, "PNG", icc_profile=None, save_all=True, disposal=0, blend=0)
    return _saved(ImageOps.exif_transpose(image), "PNG", icc_profile=None)


def _gif(data: bytes) -> bytes:
    image, moves = _opened(data, "GIF")
    for number in range(getattr(image, "n_frames", 1)):  # any of them may make the whole larger
        image.seek(number)
        _measure(image)
    return _saved(image, "GIF", comment=b"", save_all=moves, disposal=2 if moves else 0)


def _webp(data: bytes) -> bytes:
    image, moves = _opened(data, "WEBP")
    how: dict[str, Any] = {"quality": 90, "lossless": b"VP8L" in data[:4096]}
    if not moves:
        return _saved(ImageOps.exif_transpose(image), "WEBP", **how)
    loop, durations = image.info.get("loop", 0), []
    for number in range(image.n_frames):  # type: ignore[attr-defined]
        image.seek(number)
        image.load()
        durations.append(image.info["duration"])
    return _saved(image, "WEBP", save_all=True, loop=loop, duration=durations, **how)


_PHOTOS: dict[Type, Callable[[bytes], bytes]] = {JPEG: _jpeg, PNG: _png, GIF: _gif, WEBP: _webp}


def _opened(data: bytes, format: str) -> tuple[Image.Image, bool]:
    """The picture of this format and no other, not yet decoded; true where it is one of several."""
    image = Image.open(BytesIO(data), formats=[format])
    _measure(image)
    return image, getattr(image, "n_frames", 1) > 1


def _measure(image: Image.Image) -> None:
    """Nothing where the picture can be decoded without harm to the house: a bomb says its size before it is opened."""
    width, height = image.size
    pictures = getattr(image, "n_frames", 1)
    if pictures > PICTURES or width * height * pictures > PIXELS:
        raise NotKept("unreadable")


def _saved(image: Image.Image, format: str, **how: Any) -> bytes:
    into = BytesIO()
    image.save(into, format, **how)
    return into.getvalue()
