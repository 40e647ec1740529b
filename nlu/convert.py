"""Lay out a folder of labelled messages as training data and as evaluation data that is never trained on.

    python -m nlu.convert FOLDER

Every `FOLDER/<source>.jsonl` becomes `data/nlu/<source>.jsonl`; the sources and parts of sources in HELD_BACK go to
`data/evaluation/` instead. A message of ours that folds to one that is held back is dropped, so nothing is known by heart.
Run again with the same folder, it writes the same files.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from nlu.arabic.fold import tokens

TRAIN = Path("data/nlu")
HELD = Path("data/evaluation")
# Source -> the share of it that is held back. Whole files where we can afford it: lines of one hand resemble each other,
# so a file half known is easier than life. Parts where one file is most of what there is of a language.
HELD_BACK = {
    "real11": 1.0,  # Gulf, the register of real posts
    "real4": 1.0,  # Levantine and Egyptian, the same register
    "real3_apps": 1.0,  # reviews of applications, a few words each
    "english2": 0.5,
    "chinese2": 0.5,
    "arabizi2": 0.4,
    "dialogue2": 0.35,
    "other_and_small": 0.2,
}
FIELDS = ("text", "intent", "category", "lang", "variety")


def same(text: str) -> str:
    """What two messages share that differ only in spelling and signs."""
    return " ".join(token.text for token in tokens(text))


def _is_held_back(source: str, text: str) -> bool:
    share = HELD_BACK.get(source, 0.0)
    digest = hashlib.sha256(same(text).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:4], "big") / 2**32 < share


def lines(path: Path) -> Iterator[dict]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            yield json.loads(line)
        except ValueError as error:
            raise SystemExit(f"{path}, line {number}: not JSON ({error}). One message a line is expected.") from error


def convert(folder: Path, train: Path = TRAIN, held: Path = HELD) -> tuple[int, int]:
    """Write both halves; the numbers of lines in them."""
    sources = sorted(folder.glob("*.jsonl"))
    if not sources:
        raise SystemExit(f"{folder}: no *.jsonl there.")
    ours: dict[str, list[dict]] = {}
    apart: dict[str, list[dict]] = {}
    for path in sources:
        for line in lines(path):
            kept = {field: line[field] for field in FIELDS} | {"source": path.stem}
            half = apart if _is_held_back(path.stem, line["text"]) else ours
            half.setdefault(path.stem, []).append(kept)
    known = {same(line["text"]) for half in apart.values() for line in half}
    ours = {source: [line for line in half if same(line["text"]) not in known] for source, half in ours.items()}
    for folder_out, half in ((train, ours), (held, apart)):
        folder_out.mkdir(parents=True, exist_ok=True)
        for source, kept in half.items():
            text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in kept)
            (folder_out / f"{source}.jsonl").write_text(text, encoding="utf-8")
    return sum(map(len, ours.values())), sum(map(len, apart.values()))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python -m nlu.convert FOLDER")
    trained, held_back = convert(Path(sys.argv[1]))
    print(f"{trained} messages in {TRAIN}, {held_back} held back in {HELD}")
