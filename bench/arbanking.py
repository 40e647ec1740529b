"""ArBanking77 through our own components and encoder, beside stock Rasa: 77 intents of a bank, in Arabic.

    python -m bench.arbanking FOLDER [--lines N] [--no-stock]     in the assistant's environment

FOLDER holds Banking77_Arabized_MSA_PAL_train.csv and the three tests (SinaLab, Birzeit University; CC BY-SA 4.0; not shipped).
Trained on the training file alone; our encoder was tuned on our own labels and has seen none of this. The published AraBERT,
fine-tuned on the same lines, has an F1 of 0.921 (MSA) and 0.900 (PAL).
"""

from __future__ import annotations

import argparse
import csv
import json
import tempfile
from pathlib import Path

import nlu.quiet  # noqa: F401
from nlu.evaluate import accuracy
from nlu.model import Reader

TRAIN = "Banking77_Arabized_MSA_PAL_train.csv"
TESTS = {name: f"Banking77_Arabized_{name}_test.csv" for name in ("MSA", "PAL", "Saudi")}
CONFIG = """recipe: default.v1
assistant_id: arbanking
language: ar
importers:
- name: nlu.importer.LabelledMessages
  messages: {messages}
pipeline:
{pipeline}
policies:
- name: RulePolicy
"""
OURS = """- name: nlu.components.tokenizer.FoldingTokenizer
- name: nlu.components.featurizer.NgramFeaturizer
- name: nlu.components.encoder.SentenceEncoder
  cache: null
- name: nlu.components.mixture.MixedHeads
  sources_apart: [apart]"""
STOCK = """- name: WhitespaceTokenizer
- name: CountVectorsFeaturizer
- name: CountVectorsFeaturizer
  analyzer: char_wb
  min_ngram: 1
  max_ngram: 4
- name: LogisticRegressionClassifier"""
APART = 20
"""Every so many lines one is kept apart, to measure how far each side can be trusted; it is trained on in the end."""


def lines_of(path: Path) -> list[dict[str, str]]:
    """Text and label of each row."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [{"text": row["text"], "intent": row["label"]} for row in csv.DictReader(file) if row["text"].strip()]


def trained(pipeline: str, lines: list[dict[str, str]], folder: Path) -> Path:
    """The archive of a model of these lines."""
    from rasa.model_training import train_nlu

    messages = folder / "messages"
    messages.mkdir()
    for name in ("train", "apart"):
        of_this = [line for n, line in enumerate(lines) if (n % APART == 0) == (name == "apart")]
        told = [
            json.dumps(line | {"lang": "ar", "variety": "msa", "source": name}, ensure_ascii=False) for line in of_this
        ]
        (messages / f"{name}.jsonl").write_text("\n".join(told), encoding="utf-8")
    config = folder / "config.yml"
    config.write_text(CONFIG.format(messages=messages, pipeline=pipeline), encoding="utf-8")
    nothing = folder / "nlu.yml"
    nothing.write_text('version: "3.1"\nnlu: []\n', encoding="utf-8")
    made = train_nlu(config=str(config), nlu_data=str(nothing), output=str(folder / "models"))
    return Path(made)


def ours(model: Path, texts: list[str]) -> list[str]:
    """The intents that our components read."""
    return [said["intent"]["name"] for said in Reader(model).read_all(texts)]


def stock(model: Path, texts: list[str]) -> list[str]:
    """The intents that Rasa reads with a model of its own components."""
    import asyncio

    from rasa.core.agent import Agent
    from rasa.core.channels.channel import UserMessage

    processor = Agent.load(str(model)).processor

    async def read() -> list[str]:
        return [(await processor.parse_message(UserMessage(text)))["intent"]["name"] for text in texts]

    return asyncio.run(read())


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else "")
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--lines", type=int, help="of the training file, spread over it; all by default")
    arguments.add_argument("--no-stock", action="store_true")
    given = arguments.parse_args()
    lines = lines_of(given.folder / TRAIN)
    if given.lines:
        lines = lines[:: max(1, len(lines) // given.lines)]
    print(f"{len(lines)} training lines{'':6}" + "".join(f"{name:>8}" for name in TESTS))
    for name, pipeline in [("ours", OURS)] + ([] if given.no_stock else [("stock Rasa, linear", STOCK)]):
        with tempfile.TemporaryDirectory() as folder:
            model, cells = trained(pipeline, lines, Path(folder)), []
            read = ours if name == "ours" else stock
            for file in TESTS.values():
                wanted = lines_of(given.folder / file)
                told = read(model, [line["text"] for line in wanted])
                cells.append(accuracy([(line["intent"], one) for line, one in zip(wanted, told, strict=True)]))
        print(f"{name:27}" + "".join(f"{cell:>8.3f}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
