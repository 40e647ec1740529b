"""What a message means, as numbers: a pretrained multilingual encoder in a folder, run by onnxruntime."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Text, Tuple, Type

import numpy as np
import onnxruntime
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.featurizers.dense_featurizer.dense_featurizer import DenseFeaturizer
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, TEXT
from rasa.shared.nlu.training_data.features import Features
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData
from transformers import PreTrainedTokenizerFast

from nlu.arabic.language import in_arabic_letters
from nlu.components.tokenizer import READ

log = logging.getLogger(__name__)

FOLDER = "folder"
CACHE = "cache"
SHIPPED = "shipped_vectors"
FIRST_PIECES = "first_pieces"
LAST_PIECES = "last_pieces"
TRAINING_THREADS = "training_threads"

ANSWERS = "answers"
ENCODER_ANSWERS = "encoder_answers"
SUMS = "SHA256SUMS"
NEEDED = ("model.onnx", "tokenizer.json", "config.json")
TOGETHER = 8  # texts at a time
MOST_KEPT = 100_000
REMEDY = "Check it out again (git checkout models/encoder), or build it: nlu/encoder/README.md."


def verified(folder: Path) -> Text:
    """The hash of the folder's list of hashes, once every file named there is what the list says."""
    try:
        sums = (folder / SUMS).read_text(encoding="ascii")
    except (OSError, UnicodeError) as error:
        raise InvalidConfigException(f"SentenceEncoder: {folder / SUMS} cannot be read ({error}). {REMEDY}") from error
    wanted = {name: digest for digest, name in (line.split(maxsplit=1) for line in sums.splitlines())}
    for name in (*NEEDED, *sorted(set(wanted) - set(NEEDED))):
        path = folder / name
        if name not in wanted:
            raise InvalidConfigException(f"SentenceEncoder: {folder / SUMS} does not name {name}. {REMEDY}")
        if not path.is_file():
            raise InvalidConfigException(f"SentenceEncoder: {path} is missing. {REMEDY}")
        if hashlib.sha256(path.read_bytes()).hexdigest() != wanted[name]:
            raise InvalidConfigException(f"SentenceEncoder: {path} is not the file that {SUMS} names. {REMEDY}")
    return hashlib.sha256(sums.encode("ascii")).hexdigest()


def packed(vectors: np.ndarray) -> np.ndarray:
    """The same directions in one byte a number: what the house keeps beside a message."""
    return np.round(vectors * (127 / np.abs(vectors).max(axis=-1, keepdims=True))).astype(np.int8)


class Answers(NamedTuple):
    """What the encoder was tuned to tell apart, head by head, and its scores of one message beside each other."""

    names: Mapping[Text, Sequence[Text]]
    scores: np.ndarray


class Encoder:
    """A folder in the shape that nlu/encoder writes, checked and loaded. One text alone is always the same vector.

    `answers` holds, head by head, the names that the encoder was tuned to tell apart; empty for one that was not.
    """

    def __init__(self, folder: Path, first_pieces: int = 64, last_pieces: int = 32) -> None:
        how = f"{verified(folder)} {first_pieces} {last_pieces}"
        self.digest = hashlib.sha256(how.encode("ascii")).hexdigest()
        about = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self.answers: Dict[Text, List[Text]] = about.get("answers") or {}
        self._outputs: List[Text] = [name for name in about["outputs"] if name != ANSWERS]
        self.parts, self.size = len(self._outputs), about["hidden_size"] * len(self._outputs)
        self._prefix: Text = about["prefix"]
        self._pad: int = about["pad_token_id"]
        self._first, self._last = first_pieces, last_pieces
        if first_pieces + last_pieces > about["max_position_embeddings"]:
            raise InvalidConfigException(
                f"SentenceEncoder: {FIRST_PIECES} + {LAST_PIECES} is {first_pieces + last_pieces}; "
                f"the model in {folder} reads {about['max_position_embeddings']} pieces at most."
            )
        self._tokenizer = PreTrainedTokenizerFast(
            tokenizer_file=str(folder / "tokenizer.json"), unk_token="<unk>", pad_token="<pad>"
        )
        options = onnxruntime.SessionOptions()
        # More threads than cores make a message many times slower, and messages come one by one.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        # Memory is given back as it comes: a long message would hold its own for ever.
        options.enable_cpu_mem_arena = False
        self._session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def pieces(self, text: Text) -> List[int]:
        """Ids of the pieces that are read: of a long text its beginning and its end."""
        # Half a pair of UTF-16 is no character to the tokenizer.
        sound = text[:READ].encode("utf-8", "replace").decode("utf-8")
        ids: List[int] = self._tokenizer(self._prefix + sound)["input_ids"]
        return ids if len(ids) <= self._first + self._last else ids[: self._first] + ids[-self._last :]

    def read(self, text: Text) -> Tuple[np.ndarray, np.ndarray]:
        """The model's vectors beside each other, each of length one, the meaning first; and the scores of its answers."""
        vectors, scores = self._run([self.pieces(text)])
        return vectors[0], scores[0]

    def read_all(self, texts: Sequence[Text], threads: int) -> Tuple[np.ndarray, np.ndarray]:
        """The same of many texts, a third sooner; in int8 a vector changes a little with its neighbours (cosine 0.997)."""
        pieces = [self.pieces(text) for text in texts]
        order = sorted(range(len(texts)), key=lambda at: (len(pieces[at]), texts[at]))
        groups = [order[start : start + TOGETHER] for start in range(0, len(order), TOGETHER)]
        found = np.empty((len(texts), self.size), np.float32)
        said = np.empty((len(texts), sum(map(len, self.answers.values()))), np.float32)
        with ThreadPoolExecutor(threads) as workers:
            runs = workers.map(lambda group: self._run([pieces[at] for at in group]), groups)
            for group, (vectors, scores) in zip(groups, runs, strict=True):
                found[group], said[group] = vectors, scores
        return found, said

    def _run(self, pieces: Sequence[Sequence[int]]) -> Tuple[np.ndarray, np.ndarray]:
        longest = max(map(len, pieces))
        ids = np.full((len(pieces), longest), self._pad, np.int64)
        for row, found in zip(ids, pieces, strict=True):
            row[: len(found)] = found
        mask = np.arange(longest) < np.array([[len(found)] for found in pieces])
        given = {"input_ids": ids, "attention_mask": mask.astype(np.int64)}
        wanted = [*self._outputs, ANSWERS] if self.answers else self._outputs
        parts = self._session.run(wanted, given)
        scores = parts.pop() if self.answers else np.empty((len(pieces), 0), np.float32)
        return np.hstack(parts), scores


class VectorCache:
    """What the encoder said of texts that were read before, from files: vectors one byte a number, scores two."""

    def __init__(self, encoder: Encoder, paths: Sequence[Path]) -> None:
        self._encoder = encoder
        self._known: Dict[bytes, Tuple[np.ndarray, np.ndarray]] = {}
        for path in paths:
            if path.is_file():
                self._read(path)

    def _read(self, path: Path) -> None:
        try:
            with np.load(path) as stored:
                if str(stored["encoder"]) == self._encoder.digest:
                    keys = (key.tobytes() for key in stored["keys"])
                    both = zip(stored["vectors"], stored["scores"], strict=True)
                    self._known.update(zip(keys, both, strict=True))
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            log.warning(f"SentenceEncoder: {path} is no file of vectors ({error}); they are computed again")

    @staticmethod
    def _key(text: Text) -> bytes:
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()

    def lacks(self, texts: Sequence[Text]) -> Dict[bytes, Text]:
        """The texts that would have to be computed."""
        return {key: text for text in texts if (key := self._key(text)) not in self._known}

    def read_all(self, texts: Sequence[Text], threads: int) -> Tuple[np.ndarray, np.ndarray]:
        """Vectors and scores of the texts; what was not known is computed, a text that occurs twice only once."""
        unknown = self.lacks(texts)
        log.info(f"SentenceEncoder: {len(unknown):,} of {len(texts):,} messages are new")
        if unknown:
            vectors, scores = self._encoder.read_all(list(unknown.values()), threads)
            small = packed(vectors.reshape(len(vectors), self._encoder.parts, -1))
            self._known.update(zip(unknown, zip(small, scores.astype(np.float16), strict=True), strict=True))
        known = [self._known[self._key(text)] for text in texts]
        parts = np.stack([vector for vector, _ in known]).astype(np.float32)
        whole = (parts / np.linalg.norm(parts, axis=-1, keepdims=True)).reshape(len(texts), -1)
        return whole, np.stack([scores for _, scores in known]).astype(np.float32)

    def write(self, path: Path, texts: Sequence[Text]) -> None:
        """The file holds every vector known, or where those are too many these texts'; nobody commits its folder."""
        keys = sorted(self._known if len(self._known) <= MOST_KEPT else {self._key(text) for text in texts})
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / ".gitignore").write_text("*\n", encoding="ascii")
        partial = path.with_name(f"{path.stem}.{os.getpid()}.npz")
        np.savez_compressed(
            partial,
            encoder=np.array(self._encoder.digest),
            keys=np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 8),
            vectors=np.stack([self._known[key][0] for key in keys]),
            scores=np.stack([self._known[key][1] for key in keys]),
        )
        partial.replace(path)


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=False)
class SentenceEncoder(DenseFeaturizer, GraphComponent):
    """Adds one dense sentence feature: what the encoder says of the message, for e5-small twice 384 numbers. Beside it
    `encoder_answers`: the scores of what the encoder was tuned to tell apart.

    «وين معاملتي», «إلى أين وصل طلبي» and `Where is my application?` have hardly a piece in common, and vectors near each
    other. The text is read as it was written, but for Arabizi: `wen mo3amalti` is read «ون معملتي». Every message that is not blank gets the feature; features of other
    components stay. Training keeps its vectors on disk, so a second training computes only those of new lines.
    """

    @classmethod
    def required_components(cls) -> List[Type]:
        return []

    @staticmethod
    def get_default_config() -> Dict[Text, Any]:
        return {
            **DenseFeaturizer.get_default_config(),
            # A folder in the shape that nlu/encoder writes, from where Rasa is started.
            FOLDER: "models/encoder",
            # Vectors of the training messages, so that a first training need not compute them; may be absent.
            SHIPPED: "models/vectors.npz",
            # Where training keeps its vectors; null keeps none.
            CACHE: "models/.cache",
            # Of a message longer than both together this many pieces are read from its beginning …
            FIRST_PIECES: 64,
            # … and this many from its end, where people ask.
            LAST_PIECES: 32,
            # Messages read at a time while training.
            TRAINING_THREADS: 2,
        }

    @classmethod
    def validate_config(cls, config: Dict[Text, Any]) -> None:
        for key in (FIRST_PIECES, LAST_PIECES, TRAINING_THREADS):
            if not isinstance(config[key], int) or config[key] < 1:
                raise InvalidConfigException(f"SentenceEncoder: {key}={config[key]!r}; expected a whole number from 1.")

    @classmethod
    def fingerprint_addon(cls, config: Dict[Text, Any]) -> Optional[Text]:
        path = Path({**cls.get_default_config(), **config}[FOLDER]) / SUMS
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None

    def __init__(self, config: Dict[Text, Any], name: Text) -> None:
        super().__init__(name, config)
        self.validate_config(config)
        self._folder = Path(config[FOLDER])
        self._encoder = Encoder(self._folder, config[FIRST_PIECES], config[LAST_PIECES])

    @classmethod
    def create(
        cls,
        config: Dict[Text, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> SentenceEncoder:
        return cls(config, execution_context.node_name)

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Add the feature to every training message, from the cache where it is known."""
        messages = [message for message in training_data.intent_examples if message.get(TEXT, "").strip()]
        texts = [_text(message) for message in messages]
        if not texts:
            return training_data
        kept = self._kept()
        cache = VectorCache(self._encoder, [Path(self._config[SHIPPED]), *([kept] if kept else [])])
        is_new = bool(cache.lacks(texts))
        vectors, scores = cache.read_all(texts, self._config[TRAINING_THREADS])
        for message, vector, said in zip(messages, vectors, scores, strict=True):
            self._add(message, vector, said)
        if kept and is_new:
            cache.write(kept, texts)
        return training_data

    def _kept(self) -> Optional[Path]:
        """One file for one encoder."""
        folder = self._config[CACHE]
        return Path(folder) / f"vectors-{self._encoder.digest[:12]}.npz" if folder else None

    def process(self, messages: List[Message]) -> List[Message]:
        """Add the feature to every message that is not blank, and set `vector`: its meaning, base64 of a byte a number."""
        for message in messages:
            text = _text(message)
            if text.strip():
                vector, scores = self._encoder.read(text)
                self._add(message, vector, scores)
                meaning = packed(vector[: len(vector) // self._encoder.parts])
                message.set("vector", base64.b64encode(meaning.tobytes()).decode("ascii"), add_to_output=True)
        return messages

    def _add(self, message: Message, vector: np.ndarray, scores: np.ndarray) -> None:
        message.add_features(
            Features(vector.reshape(1, -1).astype(np.float32), FEATURE_TYPE_SENTENCE, TEXT, self._identifier)
        )
        if self._encoder.answers:
            # For the heads; nothing of it is told as it is.
            message.set(ENCODER_ANSWERS, Answers(self._encoder.answers, scores))


def _text(message: Message) -> Text:
    return in_arabic_letters((message.get(TEXT) or "")[:READ])
