"""The pictures of the handbook, taken of the product itself over the demo month.

    apt-get install chromium fonts-noto-core; (cd tests/browser && npm ci); python docs/screenshots.py

Makes the month in a temporary folder, starts the house on it, drives Chromium (docs/screenshots.mjs), and writes
bot/web/desk/static/help/*.webp with their sizes. Look at them before you commit them.
"""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
HELP = ROOT / "bot" / "web" / "desk" / "static" / "help"
MOST = 60_000


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def small(picture: Path) -> tuple[bytes, tuple[int, int]]:
    """The picture as WebP of 60 kB at most, and its size on the page."""
    image = Image.open(picture).convert("RGB")
    for quality in (88, 80, 70, 60, 50, 40):
        out = io.BytesIO()
        image.save(out, "WEBP", quality=quality, method=6)
        if out.tell() <= MOST:
            return out.getvalue(), image.size
    raise SystemExit(f"{picture.name} is larger than {MOST} bytes")


def main(keep: str = "") -> None:
    """Pictures into the handbook; with a folder named, those of every page and width (to be looked at) go there instead."""
    with tempfile.TemporaryDirectory() as folder:
        ports = {name: str(free_port()) for name in ("PORT", "RASA_PORT", "ACTIONS_PORT")}
        settings = {**os.environ, **ports, "DATA_DIR": folder, "SEED_PASSWORD": "a-seed-password", "DATABASE_URL": ""}
        subprocess.run([sys.executable, "-m", "bot", "seed", "--demo"], cwd=ROOT, env=settings, check=True)
        house = subprocess.Popen([sys.executable, "-m", "bot", "house"], cwd=ROOT, env=settings)
        base = f"http://127.0.0.1:{ports['PORT']}"
        taken = Path(keep or Path(folder) / "pictures")
        taken.mkdir(parents=True, exist_ok=True)
        try:
            for _ in range(100):
                try:
                    urllib.request.urlopen(base + "/health/live", timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.2)
            script = [str(ROOT / "docs" / "screenshots.mjs"), base, str(taken), *(["all"] if keep else [])]
            subprocess.run(["node", *script], cwd=ROOT, env=settings, check=True)
        finally:
            house.terminate()
            house.wait(20)
        if keep:
            return
        sizes = {}
        for old in HELP.glob("*.webp"):
            old.unlink()
        for picture in sorted(taken.glob("*.png")):
            body, size = small(picture)
            (HELP / f"{picture.stem}.webp").write_bytes(body)
            sizes[f"{picture.stem}.webp"] = size
            print(f"{picture.stem}: {len(body)} bytes, {size[0]} x {size[1]}")
        (HELP / "sizes.json").write_text(json.dumps(sizes, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:2])
