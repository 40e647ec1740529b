"""The importer and the converter: what becomes training data and what never does."""

import json
from pathlib import Path

import pytest
from rasa.shared.exceptions import InvalidConfigException, RasaException

from nlu.convert import convert, same
from nlu.importer import LabelledMessages, with_courtesies

LINE = {"text": "لي شهر انتظر", "intent": "complaint", "category": "processing_delay", "lang": "ar", "variety": "gulf"}


def _importer(folder, *lines):
    (folder / "data").mkdir(exist_ok=True)
    (folder / "data" / "one.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "config.yml").write_text("language: ar\n", encoding="utf-8")
    return LabelledMessages(str(folder / "config.yml"), None, [], messages="data")


def test_labels_come_with_the_message(tmp_path):
    (message,) = _importer(tmp_path, json.dumps(LINE)).get_nlu_data().intent_examples
    assert {key: message.get(key) for key in LINE} == LINE


def test_a_changed_line_changes_the_fingerprint(tmp_path):
    before = _importer(tmp_path, json.dumps(LINE)).get_nlu_data().fingerprint()
    assert _importer(tmp_path, json.dumps(LINE)).get_nlu_data().fingerprint() == before
    assert _importer(tmp_path, json.dumps(LINE | {"category": "other"})).get_nlu_data().fingerprint() != before


def test_a_broken_line_is_named(tmp_path):
    with pytest.raises(RasaException, match="line 2"):
        _importer(tmp_path, json.dumps(LINE), "{not json").get_nlu_data()


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(InvalidConfigException, match="messages"):
        LabelledMessages(None, None, [], messages=str(tmp_path)).get_nlu_data()


def test_courtesies_keep_the_labels():
    copies = list(with_courtesies([LINE] * 50, {"ar": (["السلام عليكم"], ["وشكرا"])}, 0.99))
    assert copies
    for copy in copies:
        assert copy["text"] != LINE["text"] and LINE["text"] in copy["text"]
        assert {**copy, "text": LINE["text"]} == LINE


def test_a_copy_is_never_copied(tmp_path):
    (tmp_path / "courtesies.tsv").write_text("ar\tbefore\tالسلام عليكم\n", encoding="utf-8")
    _importer(tmp_path, *(json.dumps(LINE | {"text": f"لي {days} يوم انتظر"}) for days in range(40)))
    config = str(tmp_path / "config.yml")
    importer = LabelledMessages(config, messages="data", courtesies="courtesies.tsv", courtesy_share=0.9)
    texts = [message.get("text") for message in importer.get_nlu_data().intent_examples]
    assert 50 < len(texts) <= 80
    assert all(text.count("السلام عليكم") <= 1 for text in texts)


def test_a_new_line_changes_no_other_copy():
    courtesies = {"ar": (["السلام عليكم", "مرحبا"], ["وشكرا"])}
    lines = [LINE | {"text": f"لي {days} يوم انتظر"} for days in range(40)]
    before = list(with_courtesies(lines, courtesies, 0.5))
    after = list(with_courtesies([LINE, *lines], courtesies, 0.5))
    assert [copy for copy in after if LINE["text"] not in copy["text"]] == before


def test_converting_twice_writes_the_same(tmp_path):
    source = tmp_path / "messages"
    source.mkdir()
    for name in ("real11", "real12", "english2"):
        lines = [json.dumps(LINE | {"text": f"{LINE['text']} {name} {number}"}) for number in range(40)]
        # A message of a held-back source, in another spelling, is not trained on either.
        lines.append(json.dumps(LINE | {"text": "ما ردّوا علينا" if name == "real12" else "ما ردوا علينا"}))
        (source / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    first = convert(source, tmp_path / "train", tmp_path / "held")
    written = {path: path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.jsonl")}
    assert convert(source, tmp_path / "train", tmp_path / "held") == first
    assert {path: path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.jsonl")} == written
    assert not (tmp_path / "train" / "real11.jsonl").exists()
    assert "ردّوا" not in (tmp_path / "train" / "real12.jsonl").read_text(encoding="utf-8")


def test_no_message_of_the_evaluation_is_trained_on():
    def texts(folder):
        return {
            same(json.loads(line)["text"])
            for path in Path(folder).glob("*.jsonl")
            for line in path.open(encoding="utf-8")
        }

    assert not texts("data/nlu") & texts("data/evaluation")
