"""What every component of the pipeline owes: any text, its own keys, nothing of others' changed."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasa.nlu.constants import TOKENS_NAMES
from rasa.nlu.tokenizers.tokenizer import Tokenizer
from rasa.shared.exceptions import InvalidConfigException
from rasa.shared.nlu.training_data.message import Message

from nlu.arabic.fold import fold
from nlu.components.entities import NumbersAndDates
from nlu.components.featurizer import NgramFeaturizer
from nlu.components.heads import SERVICE_READING, WITH_CATEGORY, LinearHeads
from nlu.components.services import ServiceLookup, stem
from nlu.components.tokenizer import FoldingTokenizer

MESSAGES = [
    "السلام عليكم لي شهر انتظر الرخصه",
    "وين معاملتي رقم ٤٤٠٢١",
    "kam rosoom el ro5sa",
    "我的申请到哪了",
    "Where is my application?",
    "میری درخواست کہاں ہے",
    "",
    " ",
    "٣",
    "👍👍",
    "\x00\ud800\u202e",
    "ا" * 2_000,
    "كلمة " * 400,
    "ً" * 2_000,
]


@pytest.fixture(scope="module")
def tokenizer():
    return FoldingTokenizer(FoldingTokenizer.get_default_config())


def _tokenized(tokenizer, text):
    message = Message.build(text)
    tokenizer.process([message])
    return message


@pytest.mark.parametrize("text", MESSAGES)
def test_the_pipeline_reads_any_message(tiny_reader, text):
    said = tiny_reader.read(text)
    assert said["text"] == text
    assert 0 <= said["intent"]["confidence"] <= 1
    assert said["category"] is None or said["intent"]["name"] in WITH_CATEGORY
    assert len(said["services"]) <= 3
    for entity in said["entities"]:
        assert 0 <= entity["start"] < entity["end"] <= len(text)


@given(st.text(st.characters(exclude_categories=()), max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_the_pipeline_reads_any_text(tiny_reader, text):
    assert tiny_reader.read(text)["text"] == text


def test_many_at_once_are_read_as_one_by_one(tiny_reader):
    at_once = tiny_reader.read_all(MESSAGES)
    assert [said["intent"]["name"] for said in at_once] == [
        tiny_reader.read(text)["intent"]["name"] for text in MESSAGES
    ]


@pytest.mark.parametrize("text", MESSAGES[:8])
def test_rasa_itself_reads_the_same(tiny_model, tiny_reader, text):
    from rasa.core.agent import Agent

    agent = Agent.load(str(tiny_model))
    theirs = asyncio.run(agent.parse_message(text))
    ours = tiny_reader.read(text)
    if text.strip():
        assert theirs["intent"]["name"] == ours["intent"]["name"]
        for key in ("services", "flags", "entities"):
            assert theirs[key] == ours[key]
        assert theirs["language"]["name"] == ours["language"]["name"]


@pytest.mark.parametrize("component", [NgramFeaturizer, ServiceLookup, NumbersAndDates])
def test_components_that_read_tokens_ask_for_a_tokenizer(component):
    assert Tokenizer in component.required_components()


@pytest.mark.parametrize("component", [FoldingTokenizer, NgramFeaturizer, LinearHeads, ServiceLookup, NumbersAndDates])
def test_components_explain_themselves_with_an_example(component):
    assert "«" in component.__doc__


@pytest.mark.parametrize("text", MESSAGES)
def test_tokens_point_into_the_message_as_written(tokenizer, text):
    message = _tokenized(tokenizer, text)
    assert message.get("text") == text
    for token in message.get(TOKENS_NAMES["text"]) or []:
        assert fold(text[token.start : token.end]) == token.text


@pytest.mark.parametrize(
    ("component", "setting", "value"),
    [
        (NgramFeaturizer, "min_ngram", 9),
        (NgramFeaturizer, "hash_bits", 2),
        (NgramFeaturizer, "arabizi_readings", 5),
        (LinearHeads, "epochs", 0),
        (LinearHeads, "dropout", 1.0),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_expected(component, setting, value):
    with pytest.raises(InvalidConfigException, match=rf"{setting}.*expected"):
        component.validate_config({**component.get_default_config(), setting: value})


def test_the_fingerprint_follows_the_files(tmp_path):
    config = {**ServiceLookup.get_default_config(), "folder": str(tmp_path)}
    before = ServiceLookup.fingerprint_addon(config)
    (tmp_path / "x.yml").write_text("id: x\nname: {ar: شهادة}\n", encoding="utf-8")
    assert ServiceLookup.fingerprint_addon(config) != before


@pytest.fixture
def lookup(tmp_path):
    (tmp_path / "licence.yml").write_text(
        "id: licence\nname: {ar: رخصة صناعية, en: Industrial licence, zh: 工业许可证}\n"
        "synonyms: {ar: [ترخيص مصنع, تجديد الرخصة الصناعية], en: [factory licence]}\n",
        encoding="utf-8",
    )
    (tmp_path / "origin.yml").write_text(
        "id: origin\nname: {ar: شهادة منشأ, en: Certificate of origin, zh: 原产地证书}\n", encoding="utf-8"
    )
    return ServiceLookup({**ServiceLookup.get_default_config(), "folder": str(tmp_path)})


@pytest.mark.parametrize(
    ("text", "service"),
    [
        ("كم رسوم الرخصه الصناعيه", "licence"),
        ("ابي اجدد رخصتي الصناعية لو سمحتم", "licence"),
        ("بدي شهادة المنشا", "origin"),
        ("how do I get a Certificate of Origin?", "origin"),
        ("原产地证书怎么办", "origin"),
        ("السلام عليكم", None),
        ("", None),
    ],
)
def test_services_are_found_by_their_names(lookup, tokenizer, text, service):
    message = _tokenized(tokenizer, text)
    lookup.process([message])
    assert [found["id"] for found in message.get("services")][:1] == ([service] if service else [])


def test_a_name_inside_a_longer_name_is_not_meant(tmp_path, tokenizer):
    (tmp_path / "new.yml").write_text("id: new\nname: {ar: رخصة صناعية, en: industrial licence}\n", encoding="utf-8")
    (tmp_path / "renew.yml").write_text(
        "id: renew\nname: {ar: تجديد رخصة صناعية, en: renew industrial licence}\n", encoding="utf-8"
    )
    lookup = ServiceLookup({**ServiceLookup.get_default_config(), "folder": str(tmp_path)})
    for text, ids in (
        ("كم رسوم تجديد الرخصة الصناعية", ["renew"]),
        ("how do I renew an industrial licence", ["renew"]),
        ("رسوم الرخصة الصناعية كم", ["new"]),
    ):
        message = _tokenized(tokenizer, text)
        lookup.process([message])
        assert [found["id"] for found in message.get("services")] == ids, text


def _services(lookup, tokenizer, text, reading):
    message = _tokenized(tokenizer, text)
    message.set(SERVICE_READING, [{"name": name, "confidence": confidence} for name, confidence in reading.items()])
    lookup.process([message])
    return message.get("services")


def test_meaning_finds_a_service_that_no_word_names(lookup, tokenizer):
    found = _services(lookup, tokenizer, "ابي ازيد خط انتاج ثاني", {"licence": 0.8, "none": 0.1})
    assert found == [{"id": "licence", "confidence": 0.8}]


@pytest.mark.parametrize("text", ["كم رسوم الرخصه الصناعيه", "what does renewing an industrial license cost?"])
def test_a_name_said_whole_is_doubted_and_never_overruled_by_meaning(lookup, tokenizer, text):
    sure = _services(lookup, tokenizer, text, {})[0]
    doubted = _services(lookup, tokenizer, text, {"none": 0.95})[0]
    assert sure["id"] == doubted["id"] == "licence"
    assert sure["confidence"] > 0.8 > doubted["confidence"] > 0.4


def test_a_name_said_in_pieces_is_overruled_by_meaning(tmp_path, tokenizer):
    (tmp_path / "move.yml").write_text("id: move\nname: {ar: نقل ملكية المصنع}\n", encoding="utf-8")
    lookup = ServiceLookup({**ServiceLookup.get_default_config(), "folder": str(tmp_path)})
    text = "المصنع القديم وملكية الارض مالهم نقل عام"
    assert _services(lookup, tokenizer, text, {})[0]["id"] == "move"
    assert _services(lookup, tokenizer, text, {"none": 0.95}) == []


def test_words_of_one_stem():
    assert len({stem(word) for word in ("رخصه", "الرخصه", "والرخصه", "رخصتي", "رخصتنا", "للرخصه")}) == 1
    assert len({stem(word) for word in ("renew", "renewing", "renewal", "renewals", "renewed")}) == 1
    assert len({stem(word) for word in ("licence", "license", "licences", "licensing")}) == 1


@pytest.mark.parametrize(
    ("text", "entity", "value", "written"),
    [
        ("تذكرتي ٦٨٢١ ٠٩٣٦ ٥٩ لو سمحت", "reference", "6821093659", "٦٨٢١ ٠٩٣٦ ٥٩"),
        ("مَعامَلَتي رقم ٤٤٠٢١", "transaction_number", "44021", "٤٤٠٢١"),
        ("جوالي 055 123 4567 ردوا", "phone", "0551234567", "055 123 4567"),
        ("هويتي ١٠١٢٣٤٥٦٧٨", "national_id", "1012345678", "١٠١٢٣٤٥٦٧٨"),
        ("من تاريخ ٢٠٢٤/٥/١ وانا انتظر", "date", "2024/5/1", "٢٠٢٤/٥/١"),
        ("جيتكم أمس", "date", "امس", "أمس"),
        ("دفعت ٥٠٠ ريال", "amount", "500", "٥٠٠ ريال"),
    ],
)
def test_entities_keep_the_offsets_of_the_message_as_written(tokenizer, text, entity, value, written):
    extractor = NumbersAndDates(NumbersAndDates.get_default_config())
    message = _tokenized(tokenizer, text)
    message.set("entities", [{"entity": "older"}])
    extractor.process([message])
    older, *found = message.get("entities")
    assert older == {"entity": "older"}
    (wanted,) = [one for one in found if one["entity"] == entity]
    assert (wanted["value"], text[wanted["start"] : wanted["end"]]) == (value, written)
