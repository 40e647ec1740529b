"""Files that people send: what is kept is what it says it is, tells of no place, and lies nowhere but in the room."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import resource
import time
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags, Image, ImageCms, ImageDraw, ImageOps, PngImagePlugin

from bot.files import FileRoom, Kept, NotKept, safe_name, scan
from bot.files.sniff import TYPES, sniff
from bot.files.strip import stripped

PLACE = b"+24.7136+046.6753/"
GPS = {1: "N", 2: (24.0, 42.0, 49.0), 3: "E", 4: (46.0, 40.0, 31.0)}
HTML = b"<html><script>alert(1)</script></html>"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


# what people send


def exif(side: int = 1) -> Image.Exif:
    made = Image.Exif()
    made[ExifTags.Base.Make] = "TELEPHONE"
    made[ExifTags.Base.Orientation] = side
    made.get_ifd(ExifTags.IFD.GPSInfo).update(GPS)
    return made


def picture(size: tuple[int, int] = (60, 40), mode: str = "RGB") -> Image.Image:
    """Red in its upper left corner, blue elsewhere."""
    made = Image.new(mode, size, "blue")
    ImageDraw.Draw(made).rectangle((0, 0, size[0] // 4, size[1] // 4), fill="red")
    return made


def saved(image: Image.Image, format: str, **how: Any) -> bytes:
    into = BytesIO()
    image.save(into, format, **how)
    return into.getvalue()


def opened(data: bytes) -> Image.Image:
    image = Image.open(BytesIO(data))
    image.load()
    return image


def animation(format: str) -> bytes:
    pictures = []
    for step in range(4):
        one = Image.new("RGBA", (40, 30), (0, 0, 0, 0))
        ImageDraw.Draw(one).rectangle((step * 8, 5, step * 8 + 7, 20), fill=(200, 0, step * 60, 255))
        pictures.append(one)
    how: dict[str, Any] = {"comment": PLACE, "disposal": 2} if format == "GIF" else {"exif": exif(), "lossless": True}
    return saved(
        pictures[0], format, save_all=True, append_images=pictures[1:], duration=[100, 200, 300, 400], loop=2, **how
    )


def office(
    main: str = "wordprocessingml.document.main+xml", parts: dict[str, bytes] | None = None, fill: int = 0
) -> bytes:
    into = BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
        listed = f'<Types><Override ContentType="application/vnd.openxmlformats-officedocument.{main}"/></Types>'
        archive.writestr("[Content_Types].xml", listed)
        archive.writestr("word/document.xml", b"<w:document/>")
        for name, data in (parts or {}).items():
            archive.writestr(name, data)
        if fill:
            with archive.open("word/media/bomb.bin", "w") as bomb:
                for _ in range(fill):
                    bomb.write(bytes(1_000_000))
    return into.getvalue()


def archive_of(name: str) -> bytes:
    into = BytesIO()
    with zipfile.ZipFile(into, "w") as archive:
        archive.writestr(name, b"x")
    return into.getvalue()


def two_in_one() -> bytes:
    """An archive whose list of parts is there twice: what it is depends on who reads it."""
    return office(parts={"[Content_TypeX].xml": b"<Types/>"}).replace(b"[Content_TypeX].xml", b"[Content_Types].xml")


def old_office(*names: str) -> bytes:
    """A file of before 2007, as far as its directory goes."""
    made = bytearray(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".ljust(512, b"\0"))
    for name in names:
        coded = name.encode("utf-16-le")
        made += coded.ljust(64, b"\0") + (len(coded) + 2).to_bytes(2, "little") + bytes(62)
    return bytes(made)


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return (len(body) + 8).to_bytes(4) + kind + body


def film(major: bytes = b"isom", *about: bytes, track: bytes = b"vide", within: bytes = b"") -> bytes:
    handler = box(b"hdlr", bytes(8), track, bytes(13))
    tracks = box(b"trak", box(b"tkhd", bytes(84)), box(b"mdia", handler, within))
    return (
        box(b"ftyp", major, bytes(4), b"mp42isom")
        + box(b"moov", box(b"mvhd", bytes(100)), tracks, *about)
        + box(b"mdat", b"pictures" * 40)
    )


def ogg(codec: bytes) -> bytes:
    return b"OggS" + bytes(22) + b"\x01\x13" + codec + bytes(40)


def webm(kind: bytes, track: bytes) -> bytes:
    return b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82" + bytes([128 + len(kind)]) + kind + b"\xae\x86\x85" + track


# the room


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "files"


@pytest.fixture
def room(folder: Path) -> FileRoom:
    return FileRoom(folder)


async def in_pieces(data: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def keep(room: FileRoom, data: bytes, declared: str = "", name: str = "") -> Kept:
    return await room.keep(in_pieces(data), declared, name)


async def refused(room: FileRoom, data: bytes, declared: str = "", name: str = "") -> str:
    with pytest.raises(NotKept) as caught:
        await keep(room, data, declared, name)
    return caught.value.reason


def lying(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_a_file_lies_under_its_hash_and_only_the_house_can_read_it(room: FileRoom, folder: Path) -> None:
    kept = await keep(room, "شكوى".encode(), "text/plain", "شكوى.txt")
    path = room.path(kept.sha256)
    assert kept == Kept(hashlib.sha256("شكوى".encode()).hexdigest(), 8, "text/plain", "شكوى.txt", "document", "kept")
    assert path == folder / kept.sha256[:2] / kept.sha256 and path.read_text() == "شكوى"
    assert [oct(place.stat().st_mode & 0o777) for place in (folder, path.parent, path)] == ["0o700", "0o700", "0o600"]


async def test_the_same_twice_is_one_file_until_it_is_removed(room: FileRoom, folder: Path) -> None:
    photo = saved(picture(), "JPEG", exif=exif())
    first, second = await asyncio.gather(keep(room, photo, name="a.jpg"), keep(room, photo, name="b.jpg"))
    assert first.sha256 == second.sha256 and lying(folder) == [room.path(first.sha256)]
    room.remove(first.sha256)
    room.remove(first.sha256)
    assert lying(folder) == []


async def test_too_large_is_noticed_while_it_comes(folder: Path) -> None:
    room, came = FileRoom(folder, largest=5_000), 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal came
        while True:
            came += 1
            yield b"x" * 1000

    with pytest.raises(NotKept) as caught:
        await room.keep(endless(), "text/plain", "")
    assert (caught.value.reason, came, lying(folder)) == ("too_large", 6, [])
    assert (await keep(room, b"x" * 5_000)).size == 5_000


async def test_nothing_came(room: FileRoom, folder: Path) -> None:
    assert await refused(room, b"") == "empty"
    assert lying(folder) == []


async def test_what_breaks_off_leaves_nothing(room: FileRoom, folder: Path) -> None:
    async def breaks_off() -> AsyncIterator[bytes]:
        yield b"half of it"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await room.keep(breaks_off(), "text/plain", "")
    assert lying(folder) == []


async def test_who_goes_away_meanwhile_leaves_nothing(room: FileRoom, folder: Path, monkeypatch: Any) -> None:
    began, ended = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def slowly(data: bytes, type: Any) -> Any:
        loop.call_soon_threadsafe(began.set)
        time.sleep(0.2)
        loop.call_soon_threadsafe(ended.set)
        return data

    monkeypatch.setattr("bot.files.keep.stripped", slowly)
    keeping = asyncio.create_task(keep(room, b"some text"))
    await began.wait()
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping
    await ended.wait()
    await asyncio.sleep(0.05)
    assert lying(folder) == []


async def test_a_full_disk_is_the_callers_to_try_again(room: FileRoom, folder: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, before[1]))
    try:
        with pytest.raises(OSError):
            await keep(room, b"x" * 50_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert lying(folder) == []
    assert (await keep(room, b"x" * 50_000)).state == "kept"


async def test_a_folder_that_cannot_be_written_is_told_and_the_rest_is_gone(room: FileRoom, folder: Path) -> None:
    in_the_way = folder / hashlib.sha256(b"some text").hexdigest()[:2]
    in_the_way.touch()
    with pytest.raises(OSError):
        await keep(room, b"some text")
    assert lying(folder) == [in_the_way]


async def test_two_are_looked_at_beside_each_other(room: FileRoom, monkeypatch: Any) -> None:
    now, most = 0, 0

    def slowly(data: bytes, type: Any) -> Any:
        nonlocal now, most
        now += 1
        most = max(most, now)
        time.sleep(0.05)
        now -= 1
        return data

    monkeypatch.setattr("bot.files.keep.stripped", slowly)
    await asyncio.gather(*(keep(room, b"text %d" % number) for number in range(5)))
    assert most == 2


def test_what_a_power_cut_left_goes_at_the_next_start(folder: Path) -> None:
    folder.mkdir()
    old, young = folder / ".0.part", folder / ".1.part"
    old.touch()
    young.touch()
    os.utime(old, (time.time() - 7200,) * 2)
    FileRoom(folder)
    assert lying(folder) == [young]


@pytest.mark.parametrize("hash", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "\n", "a/" * 32])
def test_a_path_never_leaves_the_folder(room: FileRoom, hash: str) -> None:
    for use in (room.path, room.remove):
        with pytest.raises(ValueError):
            use(hash)


# types

ACCEPTED: dict[str, list[bytes]] = {
    "image/jpeg": [saved(picture(), "JPEG")],
    "image/png": [saved(picture(), "PNG")],
    "image/gif": [saved(picture(), "GIF")],
    "image/webp": [saved(picture(), "WEBP")],
    "application/pdf": [b"%PDF-1.7\n..."],
    "audio/ogg": [ogg(b"OpusHead"), ogg(b"\x01vorbis")],
    "audio/mpeg": [b"ID3\x03\0" + bytes(50), b"\xff\xfb\x90\x64" + bytes(50), b"\xff\xf3\x40\xc4" + bytes(50)],
    "audio/aac": [b"\xff\xf1\x50\x80" + bytes(50), b"\xff\xf9\x50\x80" + bytes(50)],
    "audio/mp4": [film(b"M4A ", track=b"soun"), film(b"isom", track=b"soun"), film(b"3gp4", track=b"soun")],
    "audio/amr": [b"#!AMR\n<\x08", b"#!AMR-WB\n\0"],
    "audio/wav": [b"RIFF\x10\0\0\0WAVEfmt "],
    "audio/webm": [webm(b"webm", b"A_OPUS")],
    "video/mp4": [film(brand) for brand in (b"isom", b"mp41", b"mp42", b"avc1", b"iso5", b"M4V ")],
    "video/3gpp": [film(b"3gp4"), film(b"3gp5")],
    "video/quicktime": [film(b"qt  "), box(b"wide") + film()[28:]],
    "video/webm": [webm(b"webm", b"V_VP8"), webm(b"webm", b"V_VP9")],
    DOCX: [office()],
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": [office("spreadsheetml.sheet.main+xml")],
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": [
        office("presentationml.presentation.main+xml")
    ],
    "application/msword": [old_office("Root Entry", "WordDocument")],
    "application/vnd.ms-excel": [old_office("Root Entry", "Workbook"), old_office("Root Entry", "Book")],
    "text/plain": [
        "السلام عليكم <3\n".encode(),
        b"\xef\xbb\xbfname,amount\r\n1,2",
        b"I'm free today",
        b"BMW, PK",
        b"ID3 is a tag",
    ],
}


@pytest.mark.parametrize("type", ACCEPTED)
def test_what_is_on_the_list_is_known_by_its_content(type: str) -> None:
    assert {sniff(data).media for data in ACCEPTED[type]} == {type}


def test_each_type_on_the_list_is_tried() -> None:
    assert set(ACCEPTED) == set(TYPES)


REFUSED = {
    "html": HTML,
    "html after a space": b"\xef\xbb\xbf \n <!DOCTYPE HTML><p>",
    "html after words": b"dear sir " + HTML,
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "xml": b'<?xml version="1.0"?><a/>',
    "script": b"#!/bin/sh\nrm -rf /\n",
    "php": b"<?php system($_GET[0]);",
    "rich text": b"{\\rtf1\\ansi Dear sir}",
    "postscript": b"%!PS-Adobe-3.0\n",
    "program for windows": b"MZ\x90\0\x03\0\0\0",
    "program for linux": b"\x7fELF\x02\x01\x01\0",
    "zip": archive_of("a.txt"),
    "jar": archive_of("META-INF/MANIFEST.MF"),
    "open document": archive_of("content.xml"),
    "rar": b"Rar!\x1a\x07\x01\0",
    "7z": b"7z\xbc\xaf\x27\x1c\0\x04",
    "gzip": b"\x1f\x8b\x08\0\0\0\0\0",
    "macros said": office("wordprocessingml.document.main+xml; ms-word.document.MacroEnabled.main+xml"),
    "macros inside": office(parts={"word/vbaProject.bin": b"x"}),
    "macros by another name": office(
        'wordprocessingml.document.main+xml"/><Override ContentType="application/vnd.ms-office.vbaProject',
        {"word/photo.bin": b"x"},
    ),
    "macros of old": office("spreadsheetml.sheet.main+xml", parts={"xl/macrosheets/sheet1.xml": b"x"}),
    "old macros": old_office("Root Entry", "WordDocument", "Macros", "VBA", "_VBA_PROJECT"),
    "old slides": old_office("Root Entry", "PowerPoint Document"),
    "installer": old_office("Root Entry", "_StringData"),
    "locked office": old_office("Root Entry", "EncryptedPackage"),
    "heic": box(b"ftyp", b"heic", bytes(4), b"mif1heic") + bytes(50),
    "avif": box(b"ftyp", b"avif", bytes(4), b"mif1avif") + bytes(50),
    "matroska": webm(b"matroska", b"V_VP9"),
    "ogg film": ogg(b"\x80theora"),
    "other boxes": box(b"ftyp", b"jp2 ", bytes(4), b"jp2 ") + bytes(50),
    "bmp": b"BM\x46\0\0\0\0\0",
    "utf-16": "شكوى".encode("utf-16"),
    "not utf-8": "شكوى".encode("cp1256"),
    "nul": b"text\0text",
    "bytes": bytes(range(256)),
    "one byte": b"\xff",
}


@pytest.mark.parametrize("what", REFUSED)
async def test_what_is_not_on_the_list_is_refused(room: FileRoom, folder: Path, what: str) -> None:
    assert await refused(room, REFUSED[what], "image/jpeg", "photo.jpg") == "type"
    assert lying(folder) == []


async def test_the_declared_type_decides_nothing(room: FileRoom) -> None:
    kept = await keep(room, saved(picture(), "PNG"), "application/pdf", "invoice.pdf")
    assert (kept.type, kept.name, kept.kind) == ("image/png", "invoice.png", "photo")
    kept = await keep(room, office(), "text/html", "letter.html")
    assert (kept.type, kept.name, kept.kind) == (DOCX, "letter.docx", "document")


@pytest.mark.parametrize(
    "data",
    [
        office(fill=201),
        office()[:-30],
        b"PK\x03\x04" + bytes(40),
        office().replace(b"PK\x01\x02", b"PK\x09\x09"),
        two_in_one(),
    ],
    ids=["bomb", "cut", "nothing", "broken", "two in one"],
)
async def test_an_archive_that_cannot_be_opened_is_refused(room: FileRoom, folder: Path, data: bytes) -> None:
    assert await refused(room, data, name="letter.docx") == "unreadable"
    assert lying(folder) == []


# what it tells


def is_upright(data: bytes) -> bool:
    """The red corner is where a viewer that obeys the orientation shows it: upper left."""
    image = opened(data)
    shown = ImageOps.exif_transpose(image).convert("RGB")
    red, blue = shown.getpixel((3, 3)), shown.getpixel((shown.width - 4, shown.height - 4))
    assert isinstance(red, tuple) and isinstance(blue, tuple)
    return shown.width > shown.height and red[0] > 150 > red[2] and blue[2] > 150 > blue[0]


def turned(side: int) -> Image.Image:
    """As a camera writes it that was held so: the picture itself lies on its side, and `side` says how to show it."""
    ways = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    way = ways[side]
    return picture() if way is None else picture().transpose(way)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("side", [1, 3, 6, 8])
async def test_a_photo_tells_no_place_and_stays_upright(room: FileRoom, format: str, side: int) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    how: dict[str, Any] = {"xmp": b"<x:xmpmeta>" + PLACE} if format != "PNG" else {"pnginfo": PngImagePlugin.PngInfo()}
    if format == "PNG":
        how["pnginfo"].add_text("Comment", PLACE.decode())
    data = saved(turned(side), format, exif=exif(side), icc_profile=profile, **how)
    assert is_upright(data) and b"TELEPHONE" in data
    kept = await keep(room, data)
    after = room.path(kept.sha256).read_bytes()
    assert is_upright(after)
    tags = opened(after).getexif()
    assert not tags.get_ifd(ExifTags.IFD.GPSInfo) and set(tags) <= {ExifTags.Base.Orientation}
    assert not {"xmp", "icc_profile", "comment", "Comment"} & set(opened(after).info)
    assert b"TELEPHONE" not in after and PLACE not in after


def test_a_photo_keeps_its_quality() -> None:
    noise = Image.effect_noise((300, 200), 80).convert("RGB")
    before = saved(noise, "JPEG", quality=93, subsampling=0, comment=PLACE)
    after = stripped(before, sniff(before))
    assert opened(after).quantization == opened(before).quantization  # type: ignore[attr-defined]
    assert 0.97 < len(after) / len(before) < 1.03 and PLACE not in after


def test_nothing_hangs_on_behind_a_photo() -> None:
    for format in ("JPEG", "PNG", "GIF", "WEBP"):
        before = saved(picture(), format) + HTML + archive_of("a.exe")
        after = stripped(before, sniff(before))
        assert HTML not in after and b"PK" not in after and opened(after).size == (60, 40)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize("broken", [b"II*\0\xff\xff\xff\xff", b"garbage", b""])
def test_metadata_that_cannot_be_read_is_gone_all_the_same(broken: bytes) -> None:
    before = saved(picture(), "JPEG", exif=b"Exif\0\0" + broken)
    after = stripped(before, sniff(before))
    assert not opened(after).getexif()


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_an_animation_still_moves(format: str) -> None:
    before = animation(format)
    after = stripped(before, sniff(before))
    was, now = opened(before), opened(after)
    assert now.n_frames == 4 and now.info.get("loop") == 2  # type: ignore[attr-defined]
    for number in range(4):
        for image in (was, now):
            image.seek(number)
            image.load()
        assert was.convert("RGBA").tobytes() == now.convert("RGBA").tobytes()
        assert was.info["duration"] == now.info["duration"] == 100 * (number + 1)
    assert PLACE not in after and b"TELEPHONE" not in after


def a_bomb_that_grows() -> bytes:
    """A GIF of one pixel, whose second picture has 36 million."""
    large = saved(Image.new("P", (6000, 6000)), "GIF")
    frame = large[large.index(b",", 13 + (3 << (large[10] & 7) + 1)) : -1]
    first = b",\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0"
    return b"GIF89a\x01\0\x01\0\x80\0\0" + bytes(6) + first + frame * 3 + b";"


def a_bomb_of_passes() -> bytes:
    data = saved(Image.new("L", (800, 800)), "JPEG", progressive=True)
    return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * 300 + data[-2:]


BROKEN: dict[str, Callable[[], bytes]] = {
    "bomb": lambda: saved(Image.new("1", (10_000, 6_000)), "PNG"),
    "large bomb": lambda: saved(Image.new("1", (12_000, 9_000)), "PNG"),
    "growing bomb": a_bomb_that_grows,
    "bomb of passes": a_bomb_of_passes,
    "long animation": lambda: saved(
        Image.new("L", (1, 1)),
        "GIF",
        save_all=True,
        append_images=[Image.new("L", (1, 1), number % 2) for number in range(1, 1200)],
    ),
    "cut jpeg": lambda: saved(Image.effect_noise((300, 200), 80), "JPEG")[:-3000],
    "cut png": lambda: saved(Image.effect_noise((300, 200), 80), "PNG")[:-3000],
    "cut webp": lambda: saved(Image.effect_noise((300, 200), 80), "WEBP")[:-3000],
    "no jpeg": lambda: b"\xff\xd8\xff\xe0" + HTML,
    "no png": lambda: b"\x89PNG\r\n\x1a\n" + HTML,
    "no film": lambda: box(b"ftyp", b"isom", bytes(4), b"mp42") + HTML,
    "packed film": lambda: film(b"qt  ", box(b"cmov", bytes(100))),
}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("what", BROKEN)
async def test_what_is_broken_or_a_bomb_is_refused(room: FileRoom, folder: Path, what: str) -> None:
    assert await refused(room, BROKEN[what](), "image/jpeg", "photo.jpg") == "unreadable"
    assert lying(folder) == []


ABOUT = {
    "android": box(b"udta", box(b"\xa9xyz", b"\0\x12\x15\xc7", PLACE)),
    "3gpp": box(b"udta", box(b"loci", bytes(4), PLACE)),
    "apple": box(b"meta", box(b"keys", b"com.apple.quicktime.location.ISO6709"), box(b"ilst", PLACE)),
    "large box": b"\0\0\0\x01udta" + (16 + len(PLACE)).to_bytes(8) + PLACE,
    "padding": box(b"free", PLACE),
    "junk in the table of contents": b"\xff\xff\xff\xffudta" + PLACE,
}


@pytest.mark.parametrize("where", ABOUT)
@pytest.mark.parametrize("major", [b"isom", b"qt  ", b"3gp4"])
async def test_a_film_tells_no_place_and_its_pictures_stay_where_they_are(
    room: FileRoom, major: bytes, where: str
) -> None:
    data = film(major, ABOUT[where])
    after = room.path((await keep(room, data)).sha256).read_bytes()
    assert PLACE in data and PLACE not in after and b"ISO6709" not in after
    assert len(after) == len(data) and after.index(b"pictures") == data.index(b"pictures")
    assert after.count(b"hdlr") == after.count(b"mvhd") == 1


def test_nor_does_it_tell_one_in_a_track_or_behind_it() -> None:
    xmp = box(b"uuid", b"\xbe\x7a\xcf\xcb" + bytes(12), PLACE)
    before = film(within=ABOUT["android"]) + xmp + b"\xff\xff\xff\xffinst" + PLACE
    after = stripped(before, sniff(before))
    assert PLACE not in after and len(after) == len(before) - 8 - len(PLACE)


def test_a_film_that_was_cut_off_is_kept_as_far_as_it_goes() -> None:
    before = film(b"mp42", ABOUT["android"])[:-50]
    after = stripped(before, sniff(before))
    assert len(after) == len(before) and PLACE not in after


# names


@pytest.mark.parametrize(
    ("name", "type", "shown"),
    [
        ("فاتورة الكهرباء.pdf", "application/pdf", "فاتورة الكهرباء.pdf"),
        ("", "image/jpeg", "photo.jpg"),
        ("   ", "audio/ogg", "voice.ogg"),
        ("...", "video/mp4", "video.mp4"),
        (".htaccess", "text/plain", "htaccess.txt"),
        ("../../etc/passwd", "text/plain", "passwd.txt"),
        ("C:\\Users\\me\\photo.png", "image/png", "photo.png"),
        ("/", "image/png", "photo.png"),
        ("invoice\u202egnp.exe", "image/png", "invoicegnp.png"),
        ("a\u2066b\u2069c\u200fd\u061ce\u200b.jpg", "image/jpeg", "abcde.jpg"),
        ("a\r\nSet-Cookie: x\0\x1b[31m.jpg", "image/jpeg", "a Set-Cookie_ x[31m.jpg"),
        ("page.html", "text/plain", "page.txt"),
        ("IMG.JPEG", "image/jpeg", "IMG.jpg"),
        ("report v1.2", "application/pdf", "report v1.2.pdf"),
        ('a"b<c>d|e?f*g.pdf', "application/pdf", "a_b_c_d_e_f_g.pdf"),
        ("投诉.docx", DOCX, "投诉.docx"),
        ("x.exe", "application/x-unknown", "x.bin"),
    ],
)
def test_a_name_is_one_line_that_hides_nothing(name: str, type: str, shown: str) -> None:
    assert safe_name(name, type) == shown


def test_a_name_is_never_longer_than_a_hundred_characters() -> None:
    for name in ("ش" * 5000 + ".pdf", "a." * 5000, "a\u200d" * 100):
        shown = safe_name(name, "application/pdf")
        assert len(shown) <= 100 and shown.endswith(".pdf") and not re.search(r"[.\u200d]\.pdf$", shown)


# the scanner

Answer = Callable[[bytes], Awaitable[bytes | None]]


async def clean(data: bytes) -> bytes:
    return b"stream: OK\0"


async def found(data: bytes) -> bytes:
    return b"stream: Eicar-Test-Signature FOUND\0"


async def too_much(data: bytes) -> bytes:
    return b"INSTREAM size limit exceeded. ERROR\0"


async def hangs(data: bytes) -> bytes:
    await asyncio.sleep(60)
    return b""


async def hangs_up(data: bytes) -> bytes:
    return b""


@asynccontextmanager
async def clamd(answer: Answer, at: str = "") -> AsyncIterator[tuple[str, list[bytes]]]:
    """A clamd as far as it is asked; what it was given. At a unix socket where a path is named."""
    given: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            assert await reader.readexactly(10) == b"zINSTREAM\0"
            data = b""
            while size := int.from_bytes(await reader.readexactly(4)):
                data += await reader.readexactly(size)
            given.append(data)
            writer.write(await answer(data) or b"")
        except asyncio.CancelledError:
            pass
        finally:
            writer.close()

    server = await (asyncio.start_unix_server(talk, at) if at else asyncio.start_server(talk, "127.0.0.1", 0))
    try:
        yield f"unix:{at}" if at else f"tcp:127.0.0.1:{server.sockets[0].getsockname()[1]}", given
    finally:
        server.close()
        server.close_clients()


@pytest.mark.parametrize("at", ["", "clamd.ctl"])
async def test_a_clean_file_is_kept(folder: Path, tmp_path: Path, at: str) -> None:
    async with clamd(clean, str(tmp_path / at) if at else "") as (address, given):
        room = FileRoom(folder, scanner=address)
        kept = await keep(room, b"text " * 40_000)
        assert kept.state == "kept" and given == [b"text " * 40_000]
        assert await room.scan_again(kept.sha256) is True


async def test_an_infected_file_is_refused_and_what_came_of_it_before_goes(folder: Path) -> None:
    await keep(FileRoom(folder), b"a virus")
    other = await keep(FileRoom(folder), b"no virus")
    async with clamd(found) as (address, _):
        room = FileRoom(folder, scanner=address)
        assert await refused(room, b"a virus") == "infected"
        assert lying(folder) == [room.path(other.sha256)]


@pytest.mark.parametrize("answer", [hangs, hangs_up, too_much])
async def test_a_scanner_that_does_not_answer_leaves_the_file_in_quarantine(
    folder: Path, monkeypatch: Any, answer: Answer
) -> None:
    monkeypatch.setattr(scan, "SECONDS", 0.2)
    async with clamd(answer) as (address, _):
        room = FileRoom(folder, scanner=address)
        kept = await keep(room, b"text")
        assert kept.state == "quarantined" and lying(folder) == [room.path(kept.sha256)]
        assert await room.scan_again(kept.sha256) is None


@pytest.mark.parametrize(("answer", "verdict"), [(clean, True), (found, False)])
async def test_what_is_in_quarantine_is_scanned_when_the_scanner_is_back(
    folder: Path, tmp_path: Path, answer: Answer, verdict: bool
) -> None:
    at = str(tmp_path / "clamd.ctl")
    room = FileRoom(folder, scanner=f"unix:{at}")
    kept = await keep(room, b"text")
    assert kept.state == "quarantined" and await room.scan_again(kept.sha256) is None
    async with clamd(answer, at):
        assert await room.scan_again(kept.sha256) is verdict
    assert lying(folder) == ([room.path(kept.sha256)] if verdict else [])


async def test_a_file_that_is_not_there_is_not_the_scanners_fault(folder: Path) -> None:
    room = FileRoom(folder, scanner="tcp:127.0.0.1:1")
    with pytest.raises(FileNotFoundError):
        await room.scan_again("a" * 64)


async def test_without_a_scanner_what_waited_may_be_shown(room: FileRoom) -> None:
    assert await room.scan_again((await keep(room, b"text")).sha256) is True


@pytest.mark.parametrize(
    "address", ["clamd", "tcp:", "tcp:host", "tcp::3310", "tcp:host:port", "tcp:host:70000", "unix:", "http://x:1"]
)
def test_an_address_that_is_none_is_told_at_the_start(folder: Path, address: str) -> None:
    with pytest.raises(ValueError, match="SCANNER"):
        FileRoom(folder, scanner=address)
