"""Three questions to one row of features: what does the sender want, what is it about, in which language."""

from __future__ import annotations

import json
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Text, Tuple, Type

import numpy as np
import scipy.sparse
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers.classifier import IntentClassifier
from rasa.nlu.featurizers.featurizer import Featurizer
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.constants import INTENT, INTENT_RANKING_KEY, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

EPOCHS = "epochs"
LEARNING_RATE = "learning_rate"
DROPOUT = "dropout"
SMOOTHING = "label_smoothing"
SEEDS = "seeds"
BATCH = "batch_size"
APART = "sources_apart"
RANKING = "ranking_length"

# Trainings behind the measured confidence: two are as sure of themselves as four, and sooner done.
TRIAL_SEEDS = 2

CATEGORY = "category"
LANGUAGE = "language"
SERVICE = "service"
# Where the importer puts the labels of a training message. Few have a service; `none` is one, too: none of the register's.
LABELS = {INTENT: INTENT, CATEGORY: CATEGORY, LANGUAGE: "lang", SERVICE: "service"}
SERVICE_READING = "service_reading"
SOURCE = "source"
# The intents that have a category (docs: labels.md); for all others it is null.
WITH_CATEGORY = frozenset({"inquiry", "complaint", "suggestion", "report"})


class Head(NamedTuple):
    """One question's answers and the weights that choose among them."""

    names: List[str]
    weights: np.ndarray
    bias: np.ndarray
    temperature: float

    def probabilities(self, rows: scipy.sparse.csr_matrix) -> np.ndarray:
        return _softmax((rows @ self.weights + self.bias) / self.temperature)


def _softmax(scores: np.ndarray) -> np.ndarray:
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def _borders(heads: Sequence[np.ndarray]) -> List[int]:
    """Where in a row of all heads' answers one head ends and the next begins."""
    return list(np.cumsum([head.shape[1] for head in heads])[:-1])


def _error(scores: np.ndarray, targets: np.ndarray, borders: List[int]) -> np.ndarray:
    """What each head said too much; nothing where it was not asked."""
    heads = zip(np.split(scores, borders, axis=1), np.split(targets, borders, axis=1), strict=True)
    return np.hstack([(_softmax(said) - wanted) * (wanted.sum(axis=1, keepdims=True) > 0) for said, wanted in heads])


def _temperature(scores: np.ndarray, wanted: np.ndarray) -> float:
    """The temperature at which the scores' confidence is true of messages the weights have not seen."""

    def loss(temperature: float) -> float:
        chances = _softmax(scores / temperature)[np.arange(len(wanted)), wanted]
        return -float(np.mean(np.log(np.maximum(chances, 1e-9))))

    return float(min(np.geomspace(0.3, 4.0, 80), key=loss))


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class LinearHeads(GraphComponent, IntentClassifier):
    """Sets `intent` (with its ranking), `category` and `language`, each a name and a confidence that means something.

    «السلام عليكم لي شهر انتظر الرخصه» is intent `complaint`, category `processing_delay`, language `ar`. Class
    frequencies are kept as they are in life: nothing is balanced. Confidence is calibrated on sources that took no part
    in training. A message without features gets the most frequent answer of each head with its frequency.
    """

    @classmethod
    def required_components(cls) -> List[Type]:
        return [Featurizer]

    @staticmethod
    def get_default_config() -> Dict[Text, Any]:
        return {
            # Rounds over the training messages.
            EPOCHS: 4,
            # Step of AdaGrad.
            LEARNING_RATE: 1.0,
            # The share of a message's pieces hidden in a round, so that no single piece decides.
            DROPOUT: 0.5,
            # The share of certainty spread over all answers: labels of real messages are not all right.
            SMOOTHING: 0.05,
            # The weights are the mean of this many trainings: one alone wanders by a point either way.
            SEEDS: 3,
            # Messages a step.
            BATCH: 128,
            # Whole sources that a trial is not shown, to measure confidence on them; none leaves it as it comes.
            APART: [],
            # How many intents the ranking tells.
            RANKING: 5,
        }

    @staticmethod
    def validate_config(config: Dict[Text, Any]) -> None:
        for key in (EPOCHS, SEEDS, BATCH, RANKING):
            if not isinstance(config[key], int) or config[key] < 1:
                raise InvalidConfigException(f"LinearHeads: {key}={config[key]!r}; expected a whole number from 1.")
        for key in (DROPOUT, SMOOTHING):
            if not 0 <= config[key] < 1:
                raise InvalidConfigException(f"LinearHeads: {key}={config[key]!r}; expected 0 or more, below 1.")

    def __init__(
        self,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        heads: Optional[Dict[Text, Head]] = None,
    ) -> None:
        self.validate_config(config)
        self._config = config
        self._model_storage = model_storage
        self._resource = resource
        self._heads = heads or {}

    @classmethod
    def create(
        cls,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> LinearHeads:
        return cls(config, model_storage, resource)

    @classmethod
    def load(
        cls,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> LinearHeads:
        with model_storage.read_from(resource) as folder:
            about = json.loads((folder / "heads.json").read_text(encoding="utf-8"))
            arrays = np.load(folder / "heads.npz")
            heads = {
                name: Head(
                    known["names"],
                    arrays[f"{name}-weights"].astype(np.float32),
                    arrays[f"{name}-bias"],
                    known["temperature"],
                )
                for name, known in about.items()
            }
        return cls(config, model_storage, resource, heads)

    def _persist(self) -> None:
        about = {name: {"names": head.names, "temperature": head.temperature} for name, head in self._heads.items()}
        arrays = {}
        for name, head in self._heads.items():
            arrays[f"{name}-weights"] = head.weights.astype(np.float16)  # half the archive, no answer changes
            arrays[f"{name}-bias"] = head.bias
        with self._model_storage.write_to(self._resource) as folder:
            (folder / "heads.json").write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")
            np.savez_compressed(folder / "heads.npz", **arrays)

    # --- training ----------------------------------------------------------------------------------------------------

    def train(self, training_data: TrainingData) -> Resource:
        messages = [message for message in training_data.intent_examples if _row(message) is not None]
        if not messages:
            raise InvalidConfigException(
                "LinearHeads: no training message has features. A featurizer must stand before it in the pipeline."
            )
        rows = scipy.sparse.vstack([_row(message) for message in messages], format="csr")
        apart = self._apart(messages)
        wanted = {name: [message.get(label) for message in messages] for name, label in LABELS.items()}
        temperatures = self._temperatures(rows, wanted, apart)
        self._heads = self._fit(rows, wanted, temperatures, self._config[SEEDS])
        self._persist()
        return self._resource

    def _apart(self, messages: Sequence[Message]) -> np.ndarray:
        """Which messages a trial is not shown: lines of one hand on both sides would make the model look surer than it is."""
        return np.array([message.get(SOURCE) in self._config[APART] for message in messages])

    def _temperatures(
        self, rows: scipy.sparse.csr_matrix, wanted: Dict[Text, List[Optional[Text]]], apart: np.ndarray
    ) -> Dict[Text, float]:
        if not apart.any() or apart.all():
            return {}
        seen, unseen = np.flatnonzero(~apart), np.flatnonzero(apart)
        seen_labels = {name: [labels[at] for at in seen] for name, labels in wanted.items()}
        trial = self._fit(rows[seen], seen_labels, {}, min(self._config[SEEDS], TRIAL_SEEDS))
        found = {}
        for name, head in trial.items():
            place = {answer: at for at, answer in enumerate(head.names)}
            told = [at for at in unseen if wanted[name][at] in place]
            if told:
                scores = rows[told] @ head.weights + head.bias
                found[name] = _temperature(scores, np.array([place[wanted[name][at]] for at in told]))
        return found

    def _fit(
        self,
        rows: scipy.sparse.csr_matrix,
        wanted: Dict[Text, List[Optional[Text]]],
        temperatures: Dict[Text, float],
        seeds: int,
    ) -> Dict[Text, Head]:
        names = {name: sorted({label for label in labels if label}) for name, labels in wanted.items()}
        asked = [name for name in wanted if names[name]]
        targets = [self._targets(wanted[name], names[name]) for name in asked]
        fits = [self._descend(rows, targets, seed) for seed in range(seeds)]
        weights = np.split(np.mean([fit[0] for fit in fits], axis=0), _borders(targets), axis=1)
        bias = np.split(np.mean([fit[1] for fit in fits], axis=0), _borders(targets))
        return {
            name: Head(names[name], weights[at], bias[at], temperatures.get(name, 1.0)) for at, name in enumerate(asked)
        }

    def _targets(self, labels: List[Optional[Text]], names: List[Text]) -> np.ndarray:
        """What a head should say of each message; nothing (zeros) where the message has no such label."""
        place = {name: at for at, name in enumerate(names)}
        targets = np.zeros((len(labels), len(names)), np.float32)
        for row, label in enumerate(labels):
            if label:
                targets[row] = self._config[SMOOTHING] / len(names)
                targets[row, place[label]] += 1 - self._config[SMOOTHING]
        return targets

    def _descend(
        self, rows: scipy.sparse.csr_matrix, heads: List[np.ndarray], seed: int
    ) -> Tuple[np.ndarray, np.ndarray]:
        """Multinomial logistic regressions, one a head, by an AdaGrad that touches only the columns of the messages at hand.

        The heads share nothing but the pass over the messages.
        """
        chance = np.random.default_rng(seed)
        rate, dropout, size = (self._config[key] for key in (LEARNING_RATE, DROPOUT, BATCH))
        targets = np.hstack(heads)
        weights = np.zeros((rows.shape[1], targets.shape[1]), np.float32)
        seen = np.full_like(weights, 0.01)
        bias, bias_seen = np.zeros(targets.shape[1], np.float32), np.full(targets.shape[1], 0.01, np.float32)
        for _ in range(self._config[EPOCHS]):
            order = chance.permutation(rows.shape[0])
            shuffled, shuffled_targets = rows[order], targets[order]
            if dropout:
                kept = chance.random(shuffled.nnz, dtype=np.float32) >= dropout
                # Rows are of length one, so what is left grows by the root.
                shuffled.data = shuffled.data * kept / np.float32((1 - dropout) ** 0.5)
                shuffled.eliminate_zeros()
            for start in range(0, rows.shape[0], size):
                batch = shuffled[start : start + size]
                columns, places = np.unique(batch.indices, return_inverse=True)
                dense = scipy.sparse.csr_matrix(
                    (batch.data, places.astype(np.int32), batch.indptr), shape=(batch.shape[0], len(columns))
                )
                here = weights[columns]
                error = _error(dense @ here + bias, shuffled_targets[start : start + size], _borders(heads))
                slope = dense.T @ error
                squares = seen[columns] + slope * slope
                seen[columns] = squares
                weights[columns] = here - rate * slope / np.sqrt(squares)
                bias_slope = error.sum(axis=0)
                bias_seen += bias_slope * bias_slope
                # The bias meets every message, a piece few: a smaller step.
                bias -= 0.3 * rate * bias_slope / np.sqrt(bias_seen)
        return weights, bias

    # --- reading -----------------------------------------------------------------------------------------------------

    def process(self, messages: List[Message]) -> List[Message]:
        """Set intent, intent_ranking, category and language on every message."""
        if not self._heads:
            return messages
        for message, chances in zip(messages, self._chances(messages), strict=True):
            self._answer(message, chances)
        return messages

    def _chances(self, messages: Sequence[Message]) -> List[Dict[Text, np.ndarray]]:
        width = next(iter(self._heads.values())).weights.shape[0]
        nothing = scipy.sparse.csr_matrix((1, width), dtype=np.float32)
        rows = scipy.sparse.vstack([nothing if (row := _row(m)) is None else row for m in messages], format="csr")
        answers = {name: head.probabilities(rows) for name, head in self._heads.items()}
        return [{name: chances[at] for name, chances in answers.items()} for at in range(len(messages))]

    def _answer(self, message: Message, chances: Dict[Text, np.ndarray]) -> None:
        ranking = self._ranking(INTENT, chances)
        message.set(INTENT, ranking[0], add_to_output=True)
        message.set(INTENT_RANKING_KEY, ranking[: self._config[RANKING]], add_to_output=True)
        category = self._ranking(CATEGORY, chances)[0] if CATEGORY in chances else None
        # An observation of the desk takes its category from here, whatever the intent.
        message.set("category_reading", category, add_to_output=True)
        message.set(CATEGORY, category if ranking[0]["name"] in WITH_CATEGORY else None, add_to_output=True)
        if SERVICE in chances:
            # For the component that knows the services' names: nothing of it is told as it is.
            message.set(SERVICE_READING, self._ranking(SERVICE, chances)[: self._config[RANKING]])
        if LANGUAGE in chances:
            message.set(LANGUAGE, self._ranking(LANGUAGE, chances)[0], add_to_output=True)

    def _ranking(self, name: Text, chances: Dict[Text, np.ndarray]) -> List[Dict[Text, Any]]:
        order = np.argsort(-chances[name], kind="stable")
        names = self._heads[name].names
        return [{"name": names[at], "confidence": round(float(chances[name][at]), 4)} for at in order]


def _row(message: Message) -> Optional[scipy.sparse.csr_matrix]:
    """A message's sparse sentence features beside each other; None when it has none."""
    found = [
        feature.features
        for feature in message.features
        if feature.attribute == TEXT and feature.is_sparse() and feature.type == "sentence"
    ]
    if not found:
        return None
    return found[0] if len(found) == 1 else scipy.sparse.hstack(found, format="csr")
