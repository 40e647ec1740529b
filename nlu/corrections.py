"""Reviewed corrections of clerks become training data, if the model that learns from them is no worse for it.

    python -m nlu.corrections FILE     take the lines with "ok": true into data/nlu/corrections.jsonl, train, compare
    python -m nlu.corrections --undo   the model before: its lines, and so its archive, are in force again

A model is named after its inputs: with the former lines the former archive in models/ is the present one again.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

import nlu.quiet  # noqa: F401
from nlu.convert import same

TAKEN = Path("data/nlu/corrections.jsonl")
BEFORE = Path("models/.corrections-before.jsonl")
HELD = Path("data/evaluation")
FIELDS = ("text", "intent", "category", "lang", "variety", "service")
NOISE = 0.005  # a fall of the frozen sets that may be chance
FIGURES = (("intent", "accuracy"), ("category", "accuracy"), ("language", "accuracy"))


def reviewed(lines: Iterable[str]) -> list[dict]:
    """The corrections that a person has found right; raises SystemExit where none has been reviewed."""
    found = [json.loads(line) for line in lines if line.strip()]
    good = [{key: line.get(key) for key in FIELDS} for line in found if line.get("ok") is True]
    if not good:
        raise SystemExit(
            f'{len(found)} corrections, none reviewed. Read them, and write "ok": true or false into each line.'
        )
    return [{**line, "service": line["service"] or "none", "source": TAKEN.stem} for line in good]


def together(known: Iterable[dict], more: Iterable[dict], held: Iterable[str]) -> list[dict]:
    """Known lines and new ones; of two that differ in spelling only the later holds, and none of the frozen sets' is taken."""
    frozen = {same(text) for text in held}
    lines = {same(line["text"]): line for line in [*known, *more]}
    return [line for key, line in lines.items() if key not in frozen]


def falls(before: dict, after: dict) -> list[str]:
    """The figures of the frozen sets that are lower by more than chance, in words."""
    pairs = [(f"{head} {name}", before[head][name], after[head][name]) for head, name in FIGURES]
    return [f"{name}: {old:.3f} before, {new:.3f} after" for name, old, new in pairs if new < old - NOISE]


def take(path: Path) -> None:
    """The new model is in force, or everything is as it was and the exit code says so."""
    from nlu.evaluate import evaluate, read_labelled
    from nlu.model import Reader
    from nlu.train import train

    new = reviewed(path.read_text(encoding="utf-8").splitlines())
    known = [json.loads(line) for line in _text(TAKEN).splitlines()]
    labelled = read_labelled(sorted(HELD.glob("*.jsonl")))
    before = evaluate(labelled, Reader(train()))
    BEFORE.write_text(_text(TAKEN), encoding="utf-8")
    lines = together(known, new, (line["text"] for line in labelled))
    TAKEN.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    try:
        after = evaluate(labelled, Reader(train()))
    except BaseException:  # stopped or broken in the middle: the former lines are in force
        undo()
        raise
    if worse := falls(before, after):
        undo()
        raise SystemExit("The frozen sets fall; the former model stays:\n" + "\n".join(f"  {line}" for line in worse))
    print(
        f"{len(new)} corrections taken; intent {before['intent']['accuracy']:.3f} → {after['intent']['accuracy']:.3f}."
    )
    print("Start again to use it (make run). Back to the model before: make corrections UNDO=1")


def undo() -> None:
    """The lines before the last ones were taken; the archive made of them is the model again."""
    if not BEFORE.is_file():
        raise SystemExit(f"Nothing to undo: {BEFORE} is not there.")
    former = BEFORE.read_text(encoding="utf-8")
    if former:
        TAKEN.write_text(former, encoding="utf-8")
    else:
        TAKEN.unlink(missing_ok=True)
    BEFORE.unlink()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("file", nargs="?", type=Path)
    arguments.add_argument("--undo", action="store_true")
    given = arguments.parse_args()
    if given.undo:
        undo()
        print("The lines before are back; the next start uses the model made of them.")
    elif given.file:
        take(given.file)
    else:
        sys.exit("a file of reviewed corrections, or --undo")


if __name__ == "__main__":
    main()
