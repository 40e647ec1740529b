"""`make benchmark-nlu`: our reading, its parts alone, and stock Rasa with its linear classifier, on the same held-back messages.

    python -m bench.understanding [--no-stock] [FILE.jsonl …]     in the assistant's environment; data/evaluation by default

Accuracy, calibration (expected error of the intent's confidence), milliseconds a message with one thread, and megabytes of
what is shipped. Stock Rasa is trained here on the same messages (some minutes) and reads intents only: it has one head.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nlu.quiet  # noqa: F401
from nlu.components.encoder import SentenceEncoder
from nlu.components.featurizer import NgramFeaturizer
from nlu.components.mixture import MixedHeads, Share
from nlu.evaluate import accuracy, calibration_error, read_labelled, score
from nlu.model import Reader
from nlu.train import train

SHIPPED = Path("models/encoder")
TIMED = 300
STOCK = """recipe: default.v1
assistant_id: stock
language: ar
importers:
- name: nlu.importer.LabelledMessages
  messages: {messages}
pipeline:
- name: WhitespaceTokenizer
- name: CountVectorsFeaturizer
- name: CountVectorsFeaturizer
  analyzer: char_wb
  min_ngram: 1
  max_ngram: 4
- name: LogisticRegressionClassifier
policies:
- name: RulePolicy
"""
Row = tuple[str, dict[str, Any], float, float]


def ours(labelled: list[dict[str, Any]]) -> list[Row]:
    """The trained model whole, and without one of its sides: that step is left out, its share goes to what is left."""
    archive = train()
    reader = Reader(archive)
    heads = next(part for part in reader._components if isinstance(part, MixedHeads))
    steps, shares, rows = list(reader._components), dict(heads._shares), []
    model, encoder = archive.stat().st_size / 1e6, sum(path.stat().st_size for path in SHIPPED.iterdir()) / 1e6
    sides: list[tuple[str, type | None, Callable[[Share], Share], float]] = [
        ("ours", None, lambda share: share, model + encoder),
        ("  without the encoder", SentenceEncoder, lambda share: Share(share.pieces + share.meaning, 0.0, 0.0), model),
        ("  the encoder alone", NgramFeaturizer, lambda share: Share(0.0, share.meaning, share.tuned), encoder),
    ]
    for name, left_out, of, size in sides:
        reader._components = [step for step in steps if left_out is None or not isinstance(step, left_out)]
        heads._shares = {head: of(share) for head, share in shares.items()}
        said = reader.read_all([line["text"] for line in labelled])
        times = sorted(ms for _, ms in reader.timed([line["text"] for line in labelled[:TIMED]]))
        rows.append((name, score(list(zip(labelled, said, strict=True))), times[len(times) // 2], size))
    return rows


def stock(labelled: list[dict[str, Any]]) -> Row:
    """Rasa's own linear classifier on the same training messages."""
    from rasa.core.agent import Agent
    from rasa.model_training import train as rasa_train

    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yml"
        config.write_text(STOCK.format(messages=Path("data/nlu").resolve()), encoding="utf-8")
        made = rasa_train(domain="data/dialogue", config=str(config), training_files=["data/rules"], output=folder)
        processor = Agent.load(made.model).processor
        import asyncio

        from rasa.core.channels.channel import UserMessage

        async def read(text: str) -> dict[str, Any]:
            return dict(await processor.parse_message(UserMessage(text)))

        told, times = [], []
        for line in labelled:
            began = time.perf_counter()
            told.append(asyncio.run(read(line["text"])))
            times.append((time.perf_counter() - began) * 1000)
        pairs = [(line["intent"], said["intent"]["name"]) for line, said in zip(labelled, told, strict=True)]
        sure = [
            (said["intent"]["confidence"], wanted == name) for said, (wanted, name) in zip(told, pairs, strict=True)
        ]
        figures = {"intent": {"accuracy": accuracy(pairs)}, "calibration_error": calibration_error(sure)}
        return "stock Rasa, linear", figures, sorted(times)[len(times) // 2], Path(made.model).stat().st_size / 1e6


def table(rows: list[Row], count: int) -> str:
    """One line a reading."""
    lines = [f"{count} messages{'':14}{'intent':>8}{'category':>10}{'language':>10}{'ECE':>7}{'ms':>7}{'MB':>7}"]
    for name, figures, ms, size in rows:
        cells = [
            figures["intent"]["accuracy"],
            figures.get("category", {}).get("accuracy"),
            figures.get("language", {}).get("accuracy"),
        ]
        told = "".join(
            f"{'–' if cell is None else f'{cell:.3f}':>{width}}" for cell, width in zip(cells, (8, 10, 10), strict=True)
        )
        lines.append(f"{name:27}{told}{figures['calibration_error']:>7.3f}{ms:>7.1f}{size:>7.1f}")
    return "\n".join(lines)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    arguments.add_argument("files", nargs="*", type=Path)
    arguments.add_argument("--no-stock", action="store_true")
    given = arguments.parse_args()
    labelled = read_labelled(given.files or sorted(Path("data/evaluation").glob("*.jsonl")))
    rows = ours(labelled)
    if not given.no_stock:
        rows.append(stock(labelled))
    print(table(rows, len(labelled)))


if __name__ == "__main__":
    main()
