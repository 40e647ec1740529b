"""What a message looks like to a linear model: pieces of words, words, pairs of words, in one sparse row."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Dict, Iterator, List, Optional, Sequence, Text, Type

import numpy as np
import scipy.sparse
from camel_tools.utils.charsets import UNICODE_PUNCT_SYMBOL_CHARSET
from camel_tools.utils.dediac import dediac_ar
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.constants import TOKENS_NAMES
from rasa.nlu.featurizers.sparse_featurizer.sparse_featurizer import SparseFeaturizer
from rasa.nlu.tokenizers.tokenizer import Token, Tokenizer
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, TEXT
from rasa.shared.nlu.training_data.features import Features
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from sklearn.feature_extraction import FeatureHasher

from nlu.arabic.arabizi import is_latin, readings
from nlu.components.tokenizer import READ

MIN_NGRAM = "min_ngram"
MAX_NGRAM = "max_ngram"
MIN_MESSAGES = "min_messages"
HASH_BITS = "hash_bits"
ARABIZI_READINGS = "arabizi_readings"
SURFACE = "surface"


def _is_han(word: str) -> bool:
    return "\u3400" <= word[0] <= "\u9fff"


def words(tokens: Sequence[Token]) -> List[str]:
    """Folded words with numbers reduced to their length and Chinese characters put together again."""
    found: List[str] = []
    han_end = -1
    for token in tokens:
        word = "0" * min(len(token.text), 12) if token.text.isdigit() else token.text
        if _is_han(word) and token.start == han_end:
            found[-1] += word
        else:
            found.append(word)
        han_end = token.end if _is_han(word) else -1
    return found


def _pieces(word: str, shortest: int, longest: int) -> Iterator[str]:
    padded = f" {word} "
    for size in range(shortest, longest + 1):
        for at in range(len(padded) - size + 1):
            yield padded[at : at + size]


def _surface(text: str) -> Iterator[str]:
    """What folding takes away and still says something about the writer: signs, and diacritics of formal hands."""
    if dediac_ar(text) != text:
        yield "p-diacritics"
    for sign in UNICODE_PUNCT_SYMBOL_CHARSET.intersection(text):
        yield f"p{sign}"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=True)
class NgramFeaturizer(SparseFeaturizer, GraphComponent):
    """Adds one sparse sentence feature: tf-idf over hashed n-grams of folded words.

    «وين معاملتي» gives ` و`, `وي`, `وين`, … , the words `وين` and `معاملتي`, and their pair. `wen mo3amalti` gives its
    own pieces and those of its readings in Arabic letters, so the two scripts share what the model knows. Every message
    with a word gets the feature, others get none; features of other components stay.
    """

    @classmethod
    def required_components(cls) -> List[Type]:
        return [Tokenizer]

    @staticmethod
    def get_default_config() -> Dict[Text, Any]:
        return {
            **SparseFeaturizer.get_default_config(),
            # Pieces of words from this many characters …
            MIN_NGRAM: 1,
            # … to this many, a word's two ends counted as one character each.
            MAX_NGRAM: 5,
            # A piece seen in fewer training messages than this is forgotten.
            MIN_MESSAGES: 2,
            # Pieces are hashed into 2 to the power of this many columns; unused columns cost nothing.
            HASH_BITS: 20,
            # How many readings of a word in Latin letters are added (0 to 2).
            ARABIZI_READINGS: 2,
            # Whether signs and diacritics are read from the text as it was written.
            SURFACE: True,
        }

    @classmethod
    def validate_config(cls, config: Dict[Text, Any]) -> None:
        shortest, longest = config[MIN_NGRAM], config[MAX_NGRAM]
        if not 1 <= shortest <= longest <= 8:
            raise InvalidConfigException(
                f"NgramFeaturizer: {MIN_NGRAM}={shortest}, {MAX_NGRAM}={longest}; expected 1 <= min <= max <= 8."
            )
        if not 10 <= config[HASH_BITS] <= 24:
            raise InvalidConfigException(f"NgramFeaturizer: {HASH_BITS}={config[HASH_BITS]}; expected 10 to 24.")
        if config[ARABIZI_READINGS] not in (0, 1, 2):
            raise InvalidConfigException(
                f"NgramFeaturizer: {ARABIZI_READINGS}={config[ARABIZI_READINGS]}; expected 0, 1 or 2."
            )

    def __init__(
        self,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        name: Text,
        columns: Optional[np.ndarray] = None,
        idf: Optional[np.ndarray] = None,
    ) -> None:
        super().__init__(name, config)
        self.validate_config(config)
        self._model_storage = model_storage
        self._resource = resource
        self._hasher = FeatureHasher(
            2 ** config[HASH_BITS], input_type="string", alternate_sign=False, dtype=np.float32
        )
        self._use(columns, idf)

    def _use(self, columns: Optional[np.ndarray], idf: Optional[np.ndarray]) -> None:
        self._columns, self._idf = columns, idf
        # Hashed column -> kept column, -1 for what is forgotten.
        self._place = np.full(2 ** self._config[HASH_BITS], -1, dtype=np.int32)
        if columns is not None:
            self._place[columns] = np.arange(len(columns), dtype=np.int32)

    @classmethod
    def create(
        cls,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> NgramFeaturizer:
        return cls(config, model_storage, resource, execution_context.node_name)

    @classmethod
    def load(
        cls,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> NgramFeaturizer:
        with model_storage.read_from(resource) as folder:
            kept = np.load(folder / "columns.npz")
            return cls(config, model_storage, resource, execution_context.node_name, kept["columns"], kept["idf"])

    def _persist(self) -> None:
        with self._model_storage.write_to(self._resource) as folder:
            np.savez(folder / "columns.npz", columns=self._columns, idf=self._idf)

    def grams(self, message: Message) -> List[str]:
        """All pieces of one message; the first letter of each says of which sort it is."""
        said = words(message.get(TOKENS_NAMES[TEXT]) or [])
        shortest, longest = self._config[MIN_NGRAM], self._config[MAX_NGRAM]
        latin = [
            reading for word in said if is_latin(word) for reading in readings(word)[: self._config[ARABIZI_READINGS]]
        ]
        found = [piece for word in said for piece in _pieces(word, shortest, longest)]
        found += [piece for word in latin for piece in _pieces(word, 2, 4)]
        found += [f"w{word}" for word in said + latin]
        found += [f"b{one} {next_}" for one, next_ in pairwise(said)]
        if said:
            # Who asks, asks at the beginning or the end.
            found += [f"f{said[0]}", f"l{said[-1]}", f"n{min(8, int(1.5 * np.log2(len(said) + 1)))}"]
        if self._config[SURFACE]:
            found += _surface((message.get(TEXT) or "")[:READ])
        return found

    def _hashed(self, messages: Sequence[Message]) -> scipy.sparse.csr_matrix:
        return self._hasher.transform(self.grams(message) for message in messages)

    def _rows(self, hashed: scipy.sparse.csr_matrix) -> scipy.sparse.csr_matrix:
        """Kept columns only, counts dampened, rare pieces weighing more, every row of length one."""
        kept = self._place[hashed.indices]
        known = kept >= 0
        starts = np.concatenate([[0], np.cumsum(known)])[hashed.indptr]
        columns = kept[known]
        data = (1 + np.log(hashed.data[known])) * self._idf[columns]
        row_of = np.repeat(np.arange(hashed.shape[0]), np.diff(starts))
        lengths = np.sqrt(np.bincount(row_of, weights=data**2, minlength=hashed.shape[0]))
        data = (data / lengths[row_of]).astype(np.float32)
        return scipy.sparse.csr_matrix((data, columns, starts), shape=(hashed.shape[0], len(self._columns)))

    def train(self, training_data: TrainingData) -> Resource:
        """Learn which pieces to keep and how much each tells."""
        hashed = self._hashed(training_data.intent_examples)
        messages_with = np.bincount(hashed.indices, minlength=hashed.shape[1])
        columns = np.flatnonzero(messages_with >= self._config[MIN_MESSAGES])
        idf = np.log((1 + hashed.shape[0]) / (1 + messages_with[columns])) + 1
        self._use(columns.astype(np.int32), idf.astype(np.float32))
        self._persist()
        return self._resource

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        self.process(training_data.intent_examples)
        return training_data

    def process(self, messages: List[Message]) -> List[Message]:
        """Add the feature to every message that has a word."""
        rows = self._rows(self._hashed(messages))
        for at, message in enumerate(messages):
            if rows.indptr[at] < rows.indptr[at + 1]:
                message.add_features(Features(rows[at], FEATURE_TYPE_SENTENCE, TEXT, self._identifier))
        return messages
