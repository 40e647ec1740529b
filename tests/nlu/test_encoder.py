"""The encoder: the right files or a clear error; any text; the same text always the same vector."""

import ast
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from nlu.arabic.language import in_arabic_letters
from nlu.components.encoder import ENCODER_ANSWERS, Encoder, SentenceEncoder, VectorCache, packed, verified

SHIPPED = Path("models/encoder")
LIMIT = 64 + 32
TEXTS = [
    "السلام عليكم لي شهر انتظر الرخصه",
    "wen mo3amalti",
    "我的申请到哪了",
    "Where is my application?",
    "میری درخواست کہاں ہے",
    "👍👍",
    "٣",
    "<s></s><mask><pad>",
    "\x00\ud800\u202e",
    "ا" * 5_000,
    "كلمة " * 1_000,
    "ً" * 2_000,
]


@pytest.fixture(scope="module")
def encoder():
    return Encoder(SHIPPED)


@pytest.fixture
def copy(tmp_path):
    """A folder of small files with the shape of the shipped one."""
    for name in ("model.onnx", "tokenizer.json", "config.json"):
        (tmp_path / name).write_text(name)
    sums = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(tmp_path.iterdir())]
    (tmp_path / "SHA256SUMS").write_text("".join(sums))
    return tmp_path


def _component(**settings_):
    return SentenceEncoder({**SentenceEncoder.get_default_config(), **settings_}, "encoder")


def _meaning(encoder, text):
    return encoder.read(text)[0][:384]


def _assert_two_of_length_one(vector):
    assert vector.shape == (768,)
    assert np.linalg.norm(vector.reshape(2, 384), axis=1) == pytest.approx([1, 1], abs=1e-4)


def _cosine(encoder, one, other):
    return float(_meaning(encoder, one) @ _meaning(encoder, other))


def test_files_that_are_what_they_say_pass(copy):
    assert len(verified(copy)) == 64


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "config.json", "SHA256SUMS"])
def test_a_missing_file_is_named_with_the_remedy(copy, name):
    (copy / name).unlink()
    with pytest.raises(InvalidConfigException, match=rf"{name}.*git checkout"):
        verified(copy)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json", "config.json"])
def test_another_file_than_the_listed_one_is_refused(copy, name):
    (copy / name).write_text("another")
    with pytest.raises(InvalidConfigException, match=rf"{name} is not the file that SHA256SUMS names"):
        verified(copy)


def test_a_list_that_leaves_the_model_out_is_refused(copy):
    kept = [line for line in (copy / "SHA256SUMS").read_text().splitlines(True) if "model.onnx" not in line]
    (copy / "SHA256SUMS").write_text("".join(kept))
    with pytest.raises(InvalidConfigException, match="does not name model.onnx"):
        verified(copy)


def test_the_component_refuses_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(InvalidConfigException, match="SHA256SUMS cannot be read"):
        _component(folder=str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    "settings_", [{"first_pieces": 0}, {"last_pieces": "32"}, {"training_threads": 0}, {"first_pieces": 500}]
)
def test_a_wrong_setting_is_named(settings_):
    with pytest.raises(InvalidConfigException, match=next(iter(settings_))):
        _component(**settings_)


def test_the_fingerprint_follows_the_hashes(copy):
    before = SentenceEncoder.fingerprint_addon({"folder": str(copy)})
    (copy / "SHA256SUMS").write_text("another list")
    assert SentenceEncoder.fingerprint_addon({"folder": str(copy)}) != before


def test_the_shipped_folder_is_small_enough():
    shipped = ("model.onnx", "tokenizer.json", "config.json", "NOTICE", "SHA256SUMS")
    assert sum((SHIPPED / name).stat().st_size for name in shipped) <= 45e6


@pytest.mark.parametrize("text", TEXTS)
def test_any_message_is_two_vectors_of_length_one(encoder, text):
    _assert_two_of_length_one(encoder.read(text)[0])
    assert len(encoder.pieces(text)) <= LIMIT


@given(st.text(st.characters(exclude_categories=()), max_size=300))
@settings(deadline=None, max_examples=60)
def test_any_text_is_two_vectors_of_length_one(encoder, text):
    assert len(encoder.pieces(text)) <= LIMIT
    _assert_two_of_length_one(encoder.read(text)[0])


@pytest.mark.parametrize("text", TEXTS)
def test_one_text_is_always_the_same_vector(encoder, text):
    before = encoder.read(text)[0]
    encoder.read("شيء آخر")[0]
    assert np.array_equal(encoder.read(text)[0], before)


def test_of_a_long_text_the_beginning_and_the_end_are_read(encoder):
    long = " ".join(str(number) for number in range(300))
    first, *_, last = encoder.pieces(long)
    assert (first, last) == (encoder.pieces("")[0], encoder.pieces("")[-1])
    assert len(encoder.pieces(long)) == LIMIT
    assert encoder.pieces(long)[:60] == encoder.pieces(long[:400])[:60]
    assert encoder.pieces(long)[-10:] == encoder.pieces(long[-200:])[-10:]


def test_known_characters_are_never_unknown_pieces(encoder):
    unknown = encoder._tokenizer.unk_token_id
    for text in ("اأإآبةتثجحخدذرزسشصضطظعغفقكلمنهويىئءؤ", "گپچژڤکی", "٠١٢٣۴۵", "हिंदी", "বাংলা", "ğışçö", "可以了吗"):
        assert unknown not in encoder.pieces(text)


@pytest.mark.parametrize(
    ("message", "near", "far"),
    [
        ("كم رسوم الرخصة", "ما هي تكلفة الترخيص", "الموظف كان وقح معي"),
        ("Where is my application?", "What is the status of my request?", "The employee was rude to me."),
        ("许可证费用是多少", "办证要交多少钱", "工作人员态度很差"),
    ],
)
def test_one_meaning_in_other_words_is_nearer_than_another_meaning(encoder, message, near, far):
    assert _cosine(encoder, message, near) > _cosine(encoder, message, far)


@pytest.mark.parametrize(
    ("text", "read_as"),
    [
        ("wen mo3amalti", "ون معملتي"),
        ("Where is my application?", "Where is my application?"),
        ("وين معاملتي في sanad", "وين معاملتي في sanad"),
        ("我的 app", "我的 app"),
        ("", ""),
    ],
)
def test_arabizi_is_read_in_arabic_letters_and_nothing_else(text, read_as):
    assert in_arabic_letters(text) == read_as


def test_the_component_adds_one_feature_and_leaves_the_message(encoder):
    component = _component(cache=None)
    messages = [Message.build(text) for text in ("وين معاملتي", "  ", "")]
    component.process(messages)
    assert [len(message.features) for message in messages] == [1, 0, 0]
    (feature,) = messages[0].features
    assert feature.is_dense()
    assert np.allclose(feature.features[0], encoder.read("وين معاملتي")[0])
    assert messages[0].get("text") == "وين معاملتي"


def test_one_byte_a_number_keeps_the_direction(encoder):
    meanings = np.vstack([_meaning(encoder, text) for text in TEXTS])
    bytes_ = packed(meanings)
    assert bytes_.dtype == np.int8
    lengths = np.linalg.norm(bytes_.astype(float), axis=1)
    assert ((bytes_ * meanings).sum(axis=1) / lengths > 0.999).all()


def test_many_at_once_are_nearly_what_they_are_alone(encoder):
    alone = np.vstack([encoder.read(text)[0] for text in TEXTS])
    together = encoder.read_all(TEXTS, 2)[0]
    assert ((alone * together).sum(axis=1) / 2 > 0.97).all()


def test_training_computes_a_vector_once(tmp_path, monkeypatch):
    component = _component(cache=str(tmp_path / "cache"))
    data = TrainingData([Message.build(text, "inquiry") for text in ("كم الرسوم", "متى الدوام", " ")])
    component.process_training_data(data)
    first = [message.features[0].features for message in data.intent_examples if message.features]
    assert len(first) == 2

    monkeypatch.setattr(Encoder, "read_all", lambda *_: pytest.fail("known already"))
    again = TrainingData([Message.build(text, "inquiry") for text in ("كم الرسوم", "متى الدوام")])
    _component(cache=str(tmp_path / "cache")).process_training_data(again)
    assert np.array_equal(again.intent_examples[1].features[0].features, first[1])
    assert (tmp_path / "cache" / ".gitignore").read_text() == "*\n"


def test_vectors_of_another_encoder_are_not_taken(encoder, tmp_path):
    path = tmp_path / "vectors.npz"
    cache = VectorCache(encoder, [])
    cache.read_all(["كم الرسوم"], 1)
    cache.write(path, ["كم الرسوم"])
    other = Encoder(SHIPPED)
    other.digest = "another"
    assert VectorCache(encoder, [path])._known
    assert not VectorCache(other, [path])._known


def test_what_the_encoder_was_tuned_to_answer_comes_with_the_message_and_from_the_cache(encoder, tmp_path):
    """The scores of a message are the same from a file, and name the labels of our messages."""
    assert encoder.answers["intent"] and {"ar", "en", "zh"} <= set(encoder.answers["language"])
    cache = VectorCache(encoder, [])
    vectors, scores = cache.read_all(TEXTS, 1)
    assert scores.shape == (len(TEXTS), sum(map(len, encoder.answers.values())))
    cache.write(tmp_path / "vectors.npz", TEXTS)
    again = VectorCache(encoder, [tmp_path / "vectors.npz"]).read_all(TEXTS, 1)
    assert np.array_equal(again[0], vectors) and np.array_equal(again[1], scores)
    message = Message.build("متى دوامكم")
    _component(cache=None).process([message])
    told = message.get(ENCODER_ANSWERS)
    assert told.names == encoder.answers and told.scores.shape == scores[0].shape


def test_the_sources_that_tuning_left_apart_are_those_of_the_trial():
    """Else the trial would trust scores of messages that the tuned layers know by heart."""
    recipe = ast.parse(Path("nlu/encoder/tune.py").read_text(encoding="utf-8"))
    (apart,) = (
        ast.literal_eval(node.value)
        for node in recipe.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "APART"
    )
    config = yaml.safe_load(Path("config.yml").read_text(encoding="utf-8"))
    (heads,) = (part for part in config["pipeline"] if part["name"].endswith("MixedHeads"))
    assert tuple(heads["sources_apart"]) == apart
    assert all(Path(f"data/nlu/{source}.jsonl").is_file() for source in apart)


def test_a_broken_file_of_vectors_is_no_obstacle(encoder, tmp_path):
    path = tmp_path / "vectors.npz"
    path.write_bytes(b"PK\x03\x04 half a file")
    assert len(VectorCache(encoder, [path]).read_all(["كم الرسوم"], 1)[0]) == 1


def test_the_shipped_vectors_spare_a_first_training_its_work():
    component = _component(cache=None)
    lines = [line for path in sorted(Path("data/nlu").glob("*.jsonl")) for line in path.open(encoding="utf-8")]
    texts = [in_arabic_letters(json.loads(line)["text"]) for line in lines]
    lacking = VectorCache(component._encoder, [Path("models/vectors.npz")]).lacks(texts)
    assert len(lacking) < 3_000, "cp models/.cache/vectors-*.npz models/vectors.npz (nlu/encoder/README.md)"


def test_a_copy_of_the_shipped_folder_works_by_configuration(tmp_path):
    folder = tmp_path / "encoder"
    shutil.copytree(SHIPPED, folder)
    message = Message.build("كم الرسوم")
    _component(folder=str(folder), cache=None).process([message])
    assert len(message.features) == 1
