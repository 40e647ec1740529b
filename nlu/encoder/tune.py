"""The upper layers learn what our messages are: intent, category and language, and keep what the source knew beside it.

The lower layers stay as they came, so their states are computed once and the rest learns in a third of the time. The
vector that was made for meaning is kept by asking the tuned layers for it: its cosine to the source's is part of the loss.
"""

from __future__ import annotations

import copy
import json
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import nn
from torch.nn import functional
from transformers import BertModel

from nlu.arabic.language import in_arabic_letters
from nlu.encoder.export import MIDDLE, TunedTop, mean

PREFIX = "query: "
FIRST_PIECES, LAST_PIECES, CHARACTERS = 64, 32, 2_000  # of a message, as the assistant reads it
LABELS = {"intent": "intent", "category": "category", "language": "lang"}  # head: where a line has its label
# Whole sources that the tuned layers never see: on these the assistant's training measures how far they can be trusted.
APART = ("real1", "real18", "lev_egy", "civil_municipal", "english2", "chinese2", "arabizi2", "dialogue2")
BATCH, RATE, WARM_UP, DECAY = 32, 2e-4, 0.06, 0.01
SMOOTHING, OF_LANGUAGE, OF_VECTOR = 0.05, 0.2, 2.0  # the share of certainty spread; weights in the loss


class Lines(NamedTuple):
    """Messages with the states of the layer below the tuned ones, the source's vectors and the labels (-100: none)."""

    states: list[np.ndarray]  # pieces × size, fp16
    vectors: torch.Tensor
    labels: dict[str, torch.Tensor]


def read_lines(folder: Path) -> list[dict]:
    """All labelled messages of a folder, each with the name of its file as `source`."""
    return [
        json.loads(line) | {"source": path.stem}
        for path in sorted(folder.glob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip()
    ]


def answers_of(lines: Iterable[dict]) -> dict[str, list[str]]:
    """The answers of each head, in the order of their names."""
    lines = list(lines)
    return {head: sorted({line[key] for line in lines if line.get(key)}) for head, key in LABELS.items()}


def prepared(model: BertModel, tokenizer: Tokenizer, lines: Sequence[dict], answers: dict[str, list[str]]) -> Lines:
    """The lines with what the untuned model says of them."""
    pieces = [_pieces(tokenizer, line["text"]) for line in lines]
    states: list[np.ndarray] = [np.empty(0)] * len(lines)
    vectors = torch.empty(len(lines), model.config.hidden_size)
    with torch.inference_mode():
        for at in _groups(pieces, 64):
            ids, mask = _padded([pieces[i] for i in at])
            found = model(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
            vectors[at] = mean(found[-1], mask)
            for i, row in zip(at, found[MIDDLE].half().numpy(), strict=True):
                states[i] = row[: len(pieces[i])].copy()
    labels = {
        head: torch.tensor(
            [names.index(line[LABELS[head]]) if line.get(LABELS[head]) in names else -100 for line in lines]
        )
        for head, names in answers.items()
    }
    return Lines(states, vectors, labels)


def tune(
    model: BertModel, train: Lines, held: Lines, answers: dict[str, list[str]], epochs: int
) -> Iterator[str | TunedTop]:
    """Lines that tell how it goes, and at the end the tuned layers."""
    top = TunedTop(
        copy.deepcopy(model.encoder.layer[MIDDLE:]), model.config.hidden_size, [len(n) for n in answers.values()]
    )
    optimizer, schedule, total = _optimizer(top, len(train.states), epochs)
    started, step = time.monotonic(), 0
    for epoch in range(epochs):
        top.train()
        for at in _batches([len(state) for state in train.states]):
            loss = _loss(top, train, at)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(top.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            step += 1
            if step % 100 == 0:
                yield f"step {step} of {total}, loss {loss.item():.3f}, {time.monotonic() - started:.0f} s"
        yield f"epoch {epoch + 1} of {epochs}, of the sources kept apart right: {_right(top, held, answers)}"
    yield top.eval()


def _optimizer(
    top: TunedTop, count: int, epochs: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR, int]:
    total = epochs * -(-count // BATCH)
    matrices = [part for part in top.parameters() if part.ndim > 1]
    others = [part for part in top.parameters() if part.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE)
    warm = max(1, int(WARM_UP * total))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: (step + 1) / warm if step < warm else max(0.02, (total - step) / (total - warm))
    )
    return optimizer, schedule, total


def _loss(top: TunedTop, lines: Lines, at: Sequence[int]) -> torch.Tensor:
    rows = torch.tensor(at)
    states, mask = _stacked([lines.states[i] for i in at])
    vectors, scores = top(states, mask)
    loss = OF_VECTOR * (1 - functional.cosine_similarity(vectors, lines.vectors[rows])).mean()
    for (head, labels), said in zip(lines.labels.items(), top.split(scores), strict=True):
        wanted = labels[rows]
        if (wanted >= 0).any():
            weight = OF_LANGUAGE if head == "language" else 1.0
            loss = loss + weight * functional.cross_entropy(said, wanted, label_smoothing=SMOOTHING)
    return loss


def _right(top: TunedTop, lines: Lines, answers: dict[str, list[str]]) -> str:
    """The share of right answers by head, and the mean cosine to the source's vectors."""
    top.eval()
    scores, cosines = torch.empty(len(lines.states), sum(map(len, answers.values()))), []
    with torch.inference_mode():
        for at in _groups(lines.states, 64):
            vectors, said = top(*_stacked([lines.states[i] for i in at]))
            scores[at] = said
            cosines.append(functional.cosine_similarity(vectors, lines.vectors[at]))
    told = []
    for (head, labels), said in zip(lines.labels.items(), top.split(scores), strict=True):
        has = labels >= 0
        told.append(f"{head} {(said.argmax(1)[has] == labels[has]).float().mean():.3f}")
    return ", ".join([*told, f"cosine {torch.cat(cosines).mean():.3f}"])


def _pieces(tokenizer: Tokenizer, text: str) -> list[int]:
    ids = tokenizer.encode(PREFIX + in_arabic_letters(text[:CHARACTERS])).ids
    return ids if len(ids) <= FIRST_PIECES + LAST_PIECES else ids[:FIRST_PIECES] + ids[-LAST_PIECES:]


def _groups(rows: Sequence[Sequence], size: int) -> Iterator[list[int]]:
    """Rows of like length together."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    yield from (order[start : start + size] for start in range(0, len(order), size))


def _batches(lengths: Sequence[int]) -> list[list[int]]:
    """All rows in a new order; those of one batch are of like length, so that little is padding."""
    order = random.sample(range(len(lengths)), len(lengths))
    batches = []
    for start in range(0, len(order), 50 * BATCH):
        pool = sorted(order[start : start + 50 * BATCH], key=lengths.__getitem__)
        batches += [pool[i : i + BATCH] for i in range(0, len(pool), BATCH)]
    random.shuffle(batches)
    return batches


def _padded(pieces: Sequence[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(map(len, pieces))
    ids = torch.tensor([found + [1] * (longest - len(found)) for found in pieces])
    mask = torch.tensor([[1] * len(found) + [0] * (longest - len(found)) for found in pieces])
    return ids, mask


def _stacked(states: Sequence[np.ndarray]) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(map(len, states))
    rows = np.zeros((len(states), longest, states[0].shape[1]), np.float32)
    mask = np.zeros((len(states), longest), np.int64)
    for row, marks, state in zip(rows, mask, states, strict=True):
        row[: len(state)], marks[: len(state)] = state, 1
    return torch.from_numpy(rows), torch.from_numpy(mask)
