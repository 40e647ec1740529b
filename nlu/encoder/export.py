"""One ONNX file: ids in, two vectors of length one and the scores of all answers out; weights as int8."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import nn
from transformers import BertModel

# The run time reads at most 96 pieces of a message: what lies beyond this many positions is left out.
POSITIONS = 128
# The layer, of twelve, whose mean is the second vector: it keeps more of how a thing is said than the last one.
MIDDLE = 8
OUTPUTS = ["vector", "middle", "answers"]


class Int8Embedding(nn.Module):
    """An embedding table in int8 with a scale a row: a quarter of the size, and rows of any length stay true."""

    def __init__(self, table: torch.Tensor) -> None:
        super().__init__()
        scale = table.abs().amax(dim=1, keepdim=True).clamp_min(1e-8) / 127
        self.register_buffer("table", torch.round(table / scale).to(torch.int8))
        self.register_buffer("scale", scale)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.table[ids].float() * self.scale[ids]


class TunedTop(nn.Module):
    """The layers above the middle one, as tuned: from its states to the meaning's vector and the scores of all heads."""

    def __init__(self, layers: nn.ModuleList, size: int, answers: list[int]) -> None:
        super().__init__()
        self.layers, self.answers = layers, answers
        self.dropout = nn.Dropout(0.1)
        self.vector, self.heads = nn.Linear(size, size), nn.Linear(size, sum(answers))
        nn.init.eye_(self.vector.weight)
        nn.init.zeros_(self.vector.bias)

    def forward(self, states: torch.Tensor, attention_mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        states = _through(self.layers, states, attention_mask)
        counted = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * counted).sum(1) / counted.sum(1)
        return self.vector(mean), self.heads(self.dropout(mean))

    def split(self, scores: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The scores by head."""
        return torch.split(scores, self.answers, dim=1)


class SentenceVectors(nn.Module):
    """The meaning and the mean over the pieces after the middle layer, each of length one, and the scores."""

    def __init__(self, model: BertModel, top: TunedTop) -> None:
        super().__init__()
        self.embeddings, self.lower, self.top = model.embeddings, model.encoder.layer[:MIDDLE], top

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        states = _through(self.lower, self.embeddings(input_ids), attention_mask)
        vector, scores = self.top(states, attention_mask)
        return nn.functional.normalize(vector, dim=1), mean(states, attention_mask), scores


def _through(layers: nn.ModuleList, states: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    """The states after all layers; some releases of transformers give a layer's states alone, some in a tuple."""
    hidden = (1 - attention_mask[:, None, None, :].to(states.dtype)) * -1e4
    for layer in layers:
        found = layer(states, hidden)
        states = found[0] if isinstance(found, tuple) else found
    return states


def mean(states: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    counted = attention_mask.unsqueeze(-1).to(states.dtype)
    return nn.functional.normalize((states * counted).sum(1) / counted.sum(1), dim=1)


def keep_rows(model: BertModel, ids: list[int]) -> None:
    """The model knows these pieces only, under new ids, and the first positions only."""
    words = model.embeddings.word_embeddings.weight.data[ids]
    model.embeddings.word_embeddings = nn.Embedding.from_pretrained(words, padding_idx=model.config.pad_token_id)
    places = model.embeddings.position_embeddings.weight.data[:POSITIONS]
    model.embeddings.position_embeddings = nn.Embedding.from_pretrained(places)
    model.embeddings.position_ids = model.embeddings.position_ids[:, :POSITIONS]
    model.embeddings.token_type_ids = model.embeddings.token_type_ids[:, :POSITIONS]
    model.config.vocab_size, model.config.max_position_embeddings = len(ids), POSITIONS


def export(model: BertModel, top: TunedTop, path: Path) -> None:
    """`path` holds the int8 model; beside it, `fp32.onnx` is the same in full precision, for comparison."""
    both = SentenceVectors(model, top).eval()
    _write(both, path.with_name("fp32.onnx"))
    model.embeddings.word_embeddings = Int8Embedding(model.embeddings.word_embeddings.weight.data)
    half = path.with_name("half.onnx")
    _write(both, half)
    quantize_dynamic(half, path, op_types_to_quantize=["MatMul"], per_channel=True, weight_type=QuantType.QInt8)
    half.unlink()


def _write(model: nn.Module, path: Path) -> None:
    ids = torch.tensor([[0, 5, 6, 2], [0, 5, 2, 1]])
    axes = {0: "messages", 1: "pieces"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (ids, (ids != 1).long()),
            str(path),
            input_names=["input_ids", "attention_mask"],
            output_names=OUTPUTS,
            dynamic_axes={
                "input_ids": axes,
                "attention_mask": axes,
                **{name: {0: "messages"} for name in OUTPUTS},
            },
            opset_version=17,
            dynamo=False,
        )
