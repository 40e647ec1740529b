"""The linear heads over pieces of words, beside them a small network over the message's meaning and the tuned encoder."""

from __future__ import annotations

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Text, Tuple

import numpy as np
import scipy.optimize
import scipy.sparse
from rasa.engine.graph import ExecutionContext
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.constants import TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from nlu.components.encoder import ENCODER_ANSWERS, Answers
from nlu.components.heads import (
    LABELS,
    SEEDS,
    TRIAL_SEEDS,
    Head,
    LinearHeads,
    _borders,
    _error,
    _row,
    _softmax,
)

HIDDEN = "hidden"
MEANING_EPOCHS = "meaning_epochs"
MEANING_RATE = "meaning_learning_rate"
MEANING_DROPOUT = "meaning_dropout"
MEANING_SEEDS = "meaning_seeds"

STEP = 256  # messages a step of the network
DECAY = 1e-3
PARTS = ("mean", "spread", "inner", "inner_bias", "outer", "straight", "bias")


class Network(NamedTuple):
    """One hidden layer and a straight way past it, from a vector to the scores of all heads beside each other."""

    mean: np.ndarray
    spread: np.ndarray
    inner: np.ndarray
    inner_bias: np.ndarray
    outer: np.ndarray
    straight: np.ndarray
    bias: np.ndarray

    def scores(self, vectors: np.ndarray) -> np.ndarray:
        given = (vectors - self.mean) / self.spread
        return given @ self.straight + np.maximum(given @ self.inner + self.inner_bias, 0) @ self.outer + self.bias


class Share(NamedTuple):
    """How much of a head's answer comes from pieces of words, from meaning, and from what the encoder was tuned to answer;
    together they are its temperature."""

    pieces: float
    meaning: float
    tuned: float = 0.0


# Of a head of which no source kept apart has labels (services): likeliest on data/evaluation/services.jsonl.
UNMEASURED = Share(1.0, 1.0)


def _steps(count: int, epochs: int, chance: np.random.Generator) -> Iterator[Tuple[np.ndarray, float]]:
    """Which messages to look at next, and how much of the learning rate is left."""
    whole = epochs * -(-count // STEP)
    done = 0
    for _ in range(epochs):
        order = chance.permutation(count)
        for start in range(0, count, STEP):
            yield order[start : start + STEP], 1 - done / whole
            done += 1


def _hidden_out(shape: Tuple[int, ...], dropout: float, chance: np.random.Generator) -> np.ndarray:
    return (chance.random(shape, dtype=np.float32) >= dropout) / np.float32(1 - dropout)


def learn(
    vectors: np.ndarray, heads: List[np.ndarray], hidden: int, epochs: int, rate: float, dropout: float, seed: int
) -> Network:
    """A network trained by AdamW; `heads` are the targets of each head, zeros where a message has no such label."""
    chance = np.random.default_rng(seed)
    mean, spread = vectors.mean(axis=0), vectors.std(axis=0) + 1e-6
    given = ((vectors - mean) / spread).astype(np.float32)
    targets, borders = np.hstack(heads), _borders(heads)
    size, answers = given.shape[1], targets.shape[1]
    inner = chance.standard_normal((size, hidden), dtype=np.float32) / np.float32(size**0.5)
    outer = chance.standard_normal((hidden, answers), dtype=np.float32) / np.float32(2 * hidden**0.5)
    weights = [inner, np.zeros(hidden, np.float32), outer, np.zeros((size, answers), np.float32)]
    weights.append(np.zeros(answers, np.float32))
    first, second = ([np.zeros_like(part) for part in weights] for _ in range(2))
    for at, (batch, left) in enumerate(_steps(len(given), epochs, chance), 1):
        inner, inner_bias, outer, straight, bias = weights
        seen = given[batch] * _hidden_out((len(batch), size), dropout / 3, chance)
        before = seen @ inner + inner_bias
        open_ = (before > 0) * _hidden_out(before.shape, dropout, chance)
        middle = before * open_
        error = _error(seen @ straight + middle @ outer + bias, targets[batch], borders) / np.float32(len(batch))
        back = (error @ outer.T) * open_
        slopes = [seen.T @ back, back.sum(axis=0), middle.T @ error, seen.T @ error, error.sum(axis=0)]
        for part, slope, one, two in zip(weights, slopes, first, second, strict=True):
            one += np.float32(0.1) * (slope - one)
            two += np.float32(0.001) * (slope * slope - two)
            step = one / np.float32(1 - 0.9**at) / (np.sqrt(two / np.float32(1 - 0.999**at)) + np.float32(1e-8))
            if part.ndim == 2:
                step += np.float32(DECAY) * part
            part -= np.float32(rate * left) * step
    return Network(mean.astype(np.float32), spread.astype(np.float32), *weights)


def best_share(sides: Sequence[np.ndarray], wanted: np.ndarray) -> Share:
    """The shares under which what was wanted of messages not seen in training is likeliest; no side counts against itself."""
    rows = np.arange(len(wanted))

    def loss(shares: np.ndarray) -> float:
        scores = sum(max(share, 0.0) * side for share, side in zip(shares, sides, strict=True))
        return -float(np.mean(np.log(np.maximum(_softmax(scores)[rows, wanted], 1e-9))))

    found = scipy.optimize.minimize(loss, np.full(len(sides), 1 / len(sides)), method="Nelder-Mead").x
    return Share(*(round(max(float(share), 0.0), 4) for share in found))


def tuned_scores(messages: Sequence[Message], name: Text, answers: Sequence[Text]) -> Optional[np.ndarray]:
    """What the encoder was tuned to say of a head, in the order of its answers; None where it was not tuned for it.

    An answer that the encoder does not know scores as its least likely one; a message without scores has zeros.
    """
    told = [message.get(ENCODER_ANSWERS) for message in messages]
    first: Optional[Answers] = next((one for one in told if one is not None), None)
    if first is None or name not in first.names:
        return None
    known = list(first.names[name])
    start = sum(len(first.names[head]) for head in itertools.takewhile(lambda head: head != name, first.names))
    nothing = np.zeros(sum(map(len, first.names.values())), np.float32)
    scores = np.stack([nothing if one is None else one.scores for one in told])[:, start : start + len(known)]
    least = scores.min(axis=1, keepdims=True)
    columns = [scores[:, [known.index(answer)]] if answer in known else least for answer in answers]
    return np.hstack(columns)


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class MixedHeads(LinearHeads):
    """What LinearHeads sets, read from pieces of words and from the encoder's vector together.

    «معاملتي» written `mo3amalti` or misspelt is known by its pieces; «متى أستلم ردكم» by its meaning. Each side scores
    every answer, and so does an encoder that was tuned to (nlu/encoder); the shares in which they are added are those that
    fit messages of sources kept out of training, this one's and the encoder's; so confidence means something. Without a dense feature (no encoder in the pipeline) this is LinearHeads.
    """

    @staticmethod
    def get_default_config() -> Dict[Text, Any]:
        return {
            **LinearHeads.get_default_config(),
            # Cells of the network over the vector.
            HIDDEN: 384,
            # Its rounds over the training messages.
            MEANING_EPOCHS: 10,
            # Its first step; the last is 0.
            MEANING_RATE: 0.002,
            # The share of its cells hidden in a step.
            MEANING_DROPOUT: 0.3,
            # Its scores are the mean of this many trainings.
            MEANING_SEEDS: 1,
        }

    @staticmethod
    def validate_config(config: Dict[Text, Any]) -> None:
        LinearHeads.validate_config(config)
        for key in (HIDDEN, MEANING_EPOCHS, MEANING_SEEDS):
            if not isinstance(config[key], int) or config[key] < 1:
                raise InvalidConfigException(f"MixedHeads: {key}={config[key]!r}; expected a whole number from 1.")
        if not 0 <= config[MEANING_DROPOUT] < 1:
            raise InvalidConfigException(
                f"MixedHeads: {MEANING_DROPOUT}={config[MEANING_DROPOUT]!r}; expected 0 or more, below 1."
            )

    def __init__(
        self,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        heads: Optional[Dict[Text, Head]] = None,
        networks: Sequence[Network] = (),
        shares: Optional[Dict[Text, Share]] = None,
    ) -> None:
        super().__init__(config, model_storage, resource, heads)
        self._networks = networks
        self._shares = shares or {}

    @classmethod
    def load(
        cls,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> MixedHeads:
        linear = LinearHeads.load(config, model_storage, resource, execution_context)
        with model_storage.read_from(resource) as folder:
            if not (folder / "shares.json").is_file():
                return cls(config, model_storage, resource, linear._heads)
            shares = json.loads((folder / "shares.json").read_text(encoding="utf-8"))
            arrays = np.load(folder / "networks.npz")
            networks = [
                Network(*(arrays[f"{seed}-{part}"].astype(np.float32) for part in PARTS))
                for seed in range(config[MEANING_SEEDS])
            ]
        return cls(
            config,
            model_storage,
            resource,
            linear._heads,
            networks,
            {name: Share(*share) for name, share in shares.items()},
        )

    def _persist(self) -> None:
        super()._persist()
        if not self._networks:
            return
        arrays = {
            f"{seed}-{part}": array.astype(np.float16 if array.ndim == 2 else np.float32)
            for seed, network in enumerate(self._networks)
            for part, array in zip(PARTS, network, strict=True)
        }
        with self._model_storage.write_to(self._resource) as folder:
            (folder / "shares.json").write_text(json.dumps(self._shares), encoding="utf-8")
            np.savez(folder / "networks.npz", **arrays)

    # --- training ----------------------------------------------------------------------------------------------------

    def train(self, training_data: TrainingData) -> Resource:
        messages = [message for message in training_data.intent_examples if _row(message) is not None]
        size = next((vector.shape[1] for message in messages if (vector := _vector(message)) is not None), 0)
        if not size:
            return super().train(training_data)
        rows = scipy.sparse.vstack([_row(message) for message in messages], format="csr")
        vectors = _vectors(messages, size)
        wanted = {name: [message.get(label) for message in messages] for name, label in LABELS.items()}
        apart = self._apart(messages)
        # The networks compute in a thread of their own: training has two cores, and these are matrices.
        with ThreadPoolExecutor(1) as aside:
            networks = aside.submit(self._networks_of, vectors, wanted, self._config[MEANING_SEEDS])
            self._shares = self._best_shares(messages, rows, vectors, wanted, apart)
            self._heads = self._fit(rows, wanted, {}, self._config[SEEDS])
            self._networks = networks.result()
        self._persist()
        return self._resource

    def _networks_of(self, vectors: np.ndarray, wanted: Dict[Text, List[Optional[Text]]], seeds: int) -> List[Network]:
        names = {name: sorted({label for label in labels if label}) for name, labels in wanted.items()}
        targets = [self._targets(wanted[name], names[name]) for name in wanted if names[name]]
        settings = [self._config[key] for key in (HIDDEN, MEANING_EPOCHS, MEANING_RATE, MEANING_DROPOUT)]
        return [learn(vectors, targets, *settings, seed) for seed in range(seeds)]

    def _best_shares(
        self,
        messages: Sequence[Message],
        rows: scipy.sparse.csr_matrix,
        vectors: np.ndarray,
        wanted: Dict[Text, List[Optional[Text]]],
        apart: np.ndarray,
    ) -> Dict[Text, Share]:
        """By a trial that sees only the sources not kept apart; equal shares where none are."""
        if not apart.any() or apart.all():
            return {}
        seen, unseen = np.flatnonzero(~apart), np.flatnonzero(apart)
        known = {name: [labels[at] for at in seen] for name, labels in wanted.items()}
        heads = self._fit(rows[seen], known, {}, min(self._config[SEEDS], TRIAL_SEEDS))
        (network,) = self._networks_of(vectors[seen], known, 1)
        meaning = _split(network.scores(vectors[unseen]), heads)
        found = {}
        for name, head in heads.items():
            place = {answer: at for at, answer in enumerate(head.names)}
            told = np.array([at for at, row in enumerate(unseen) if wanted[name][row] in place], int)
            if len(told):
                sides = [rows[unseen[told]] @ head.weights + head.bias, meaning[name][told]]
                tuned = tuned_scores([messages[row] for row in unseen[told]], name, head.names)
                right = np.array([place[wanted[name][row]] for row in unseen[told]])
                found[name] = best_share(sides if tuned is None else [*sides, tuned], right)
        return found

    # --- reading -----------------------------------------------------------------------------------------------------

    def _chances(self, messages: Sequence[Message]) -> List[Dict[Text, np.ndarray]]:
        if not self._networks:
            return super()._chances(messages)
        width = next(iter(self._heads.values())).weights.shape[0]
        nothing = scipy.sparse.csr_matrix((1, width), dtype=np.float32)
        rows = scipy.sparse.vstack([nothing if (row := _row(m)) is None else row for m in messages], format="csr")
        vectors = _vectors(messages, len(self._networks[0].mean))
        has = np.array([[_vector(message) is not None] for message in messages], np.float32)
        scores = np.mean([network.scores(vectors) for network in self._networks], axis=0) * has
        meaning = _split(scores, self._heads)
        answers = {}
        for name, head in self._heads.items():
            share = self._shares.get(name, UNMEASURED)
            pieces = rows @ head.weights + head.bias
            tuned = tuned_scores(messages, name, head.names) if share.tuned else None
            scores = share.pieces * pieces + share.meaning * meaning[name]
            answers[name] = _softmax(scores if tuned is None else scores + share.tuned * tuned)
        return [{name: chances[at] for name, chances in answers.items()} for at in range(len(messages))]


def _split(scores: np.ndarray, heads: Dict[Text, Head]) -> Dict[Text, np.ndarray]:
    """Scores of all heads beside each other, by head."""
    ends = list(itertools.accumulate(len(head.names) for head in heads.values()))
    return dict(zip(heads, np.split(scores, ends[:-1], axis=1), strict=True))


def _vectors(messages: Sequence[Message], size: int) -> np.ndarray:
    """The messages' vectors, zeros where one has none."""
    nothing = np.zeros((1, size), np.float32)
    return np.vstack([nothing if (vector := _vector(message)) is None else vector for message in messages])


def _vector(message: Message) -> Optional[np.ndarray]:
    """A message's dense sentence features beside each other; None when it has none."""
    found = [
        feature.features
        for feature in message.features
        if feature.attribute == TEXT and feature.is_dense() and feature.type == "sentence"
    ]
    return np.hstack(found) if found else None
