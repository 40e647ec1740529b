"""What is in the catalogues: everything in three languages, plain, short, and nothing of ours showing through."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from wording_samples import register, sample_params

from bot.tickets.lifecycle import STATES
from bot.tickets.ticket import KINDS
from bot.wording.render import LANGUAGES, CataloguesInvalid, load

# Reference, receipt code, unit, date and why to keep the code do not fit into less.
LONGER = {"utter_filed_urgent_closed", "utter_filed_closed", "utter_filed_kept", "utter_filed_person_closed"}
# Product names, keys of a keyboard, and what is said in several languages at once.
MIXED = {"utter_choose_language", "utter_language_unknown", "utter_language_added"}
LATIN = MIXED | {"button_language_en", "chat_hint"}
SAME = (
    MIXED | {f"button_language_{language}" for language in LANGUAGES} | {"line_ticket", "button_ticket", "notice_live"}
)
THREE = [
    "out_of_scope",
    "unsure",
    "emoji",
    "insult",
    "lone_number",
    "link",
    "greet",
    "help",
    "still_draft",
    "empty",
    "prayer",
    "thanks",
]
DANGER = ("fire", "gas", "injury", "self_harm", "other")
INNER = ("date_", "time_")  # said only by the renderer

CATALOGUES = load()
NAMES = sorted(name for name in CATALOGUES.names() if not name.startswith(INNER))


def plain(name: str, language: str) -> str:
    """As it is read: without the characters that isolate."""
    return re.sub("[\u2068\u2069]", "", CATALOGUES.render(name, sample_params(), language, register, strict=True))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_name_is_said_with_nothing_of_ours_showing(language: str) -> None:
    ours = re.compile(r"[{}<>*`|\\]|some_|utter_|button_|None|\d{4}-\d\d-\d\dT|  |\b\d{10,}\b|^\s|\s$|^$")
    assert not [text for name in NAMES if ours.search(text := plain(name, language))]


@pytest.mark.parametrize("language", LANGUAGES)
def test_buttons_are_short(language: str) -> None:
    assert not [text for name in NAMES if name.startswith("button_") and len(text := plain(name, language)) > 24]


def test_messages_are_short_but_for_a_few() -> None:
    lengths = {name: max(len(plain(name, language)) for language in LANGUAGES) for name in NAMES}
    assert {name for name, length in lengths.items() if length > 320} == LONGER
    assert max(lengths.values()) <= 370


def test_arabic_is_arabic() -> None:
    assert not [name for name in NAMES if name not in LATIN and re.search("[A-Za-z]", plain(name, "ar"))]


def test_arabic_is_written_as_we_write_it() -> None:
    """Arabic commas and question marks; tanwin before the alef (رقمًا); no stretching."""
    wrong = re.compile(r"[,;?]\s|[,;?]$|اً|(?<!ه)ـ")
    assert not [text for name in NAMES if name not in MIXED and wrong.search(text := plain(name, "ar"))]


def test_the_languages_differ() -> None:
    assert not [n for n in NAMES if n not in SAME and len({plain(n, language) for language in LANGUAGES}) < 3]


def test_chinese_is_chinese_and_polite() -> None:
    texts = [plain(name, "zh") for name in NAMES if name not in SAME]
    assert not [text for text in texts if "你" in text or not re.search("[\u4e00-\u9fff]", text)]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("base", THREE)
def test_nobody_hears_the_same_three_times(base: str, language: str) -> None:
    texts = [plain(f"utter_{base}{ending}", language) for ending in ("", ".2", ".3")]
    assert len(set(texts)) == 3
    person = {"ar": "موظف|أحدنا", "en": "staff|one of us", "zh": "人工|工作人员|联系您"}[language]
    assert re.search(person, texts[2]), "the third offers a person"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", DANGER)
def test_danger_says_the_number_in_its_first_sentence(kind: str, language: str) -> None:
    first = re.split("[.。\n]", plain(f"utter_danger_{kind}", language))[0]
    assert "998" in first


@pytest.mark.parametrize("params", [{}, {"number": None}, {"number": ""}])
@pytest.mark.parametrize("language", LANGUAGES)
def test_danger_is_said_without_a_number_too(language: str, params: dict[str, None]) -> None:
    general = {"ar": "بالرقم المخصص للطوارئ", "en": "all the emergency number", "zh": "拨打 紧急电话"}[language]
    assert general in CATALOGUES.render("utter_danger_fire", params, language, strict=True)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", [n for n in NAMES if n.startswith("utter_filed")])
def test_filed_can_be_copied(name: str, language: str) -> None:
    lines = plain(name, language).split("\n")
    assert sum(line.endswith("6821 0936 59") for line in lines) == 1
    assert sum(line.endswith("315-204-377-518") for line in lines) == 1
    assert {"ref", "receipt", "unit", "due"} <= CATALOGUES.params(name)


def test_every_state_and_kind_has_a_name() -> None:
    assert {f"state_{state}" for state in STATES} <= CATALOGUES.names()
    assert {f"button_kind_{kind}" for kind in KINDS} <= CATALOGUES.names()


def broken(folder: Path, **files: str) -> list[str]:
    """The problems of our own catalogues with some of them replaced: ar_messages, en_desk, …"""
    ours = Path(__file__).parents[3] / "bot" / "wording"
    for language in LANGUAGES:
        (folder / language).mkdir()
        text = files.get(f"{language}_messages", (ours / language / "messages.po").read_text(encoding="utf-8"))
        (folder / language / "messages.po").write_text(text, encoding="utf-8")
        if f"{language}_desk" in files:
            (folder / language / "desk.po").write_text(files[f"{language}_desk"], encoding="utf-8")
    with pytest.raises(CataloguesInvalid) as caught:
        load(folder)
    return caught.value.problems


def ours(language: str) -> str:
    return (Path(__file__).parents[3] / "bot" / "wording" / language / "messages.po").read_text(encoding="utf-8")


def test_what_is_missing_in_one_language_is_told_with_file_and_name(tmp_path: Path) -> None:
    problems = broken(
        tmp_path,
        zh_messages=ours("zh").replace('msgid "utter_goodbye"', 'msgid "utter_farewell"'),
        en_messages=ours("en").replace("We studied your suggestion in ticket {ref}", "We studied your suggestion"),
    )
    assert "zh/messages.po: utter_goodbye: is missing" in problems
    assert "en/messages.po: utter_farewell: is missing" in problems
    assert "en/messages.po: notice_decline: lacks {ref}" in problems


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('msgstr "Cancel"', 'msgstr ""', "button_cancel: has no text"),
        ('msgstr "Cancel"', 'msgstr "Cancel {0}"', "button_cancel: placeholder {0} is not a simple name"),
        ('msgstr "Cancel"', 'msgstr "Cancel {ref!r}"', "button_cancel: placeholder {ref!r} is not a simple name"),
        ('msgstr "Cancel"', 'msgstr "Cancel {{ref}}"', "button_cancel: a brace that is no placeholder"),
        ('msgid "button_cancel"', '#, fuzzy\nmsgid "button_cancel"', "button_cancel: is marked fuzzy"),
        ('msgid "button_cancel"', 'msgid "button_edit"', "button_edit: is there twice"),
        ('msgid "button_cancel"\n', 'msgid "button_cancel"\nnonsense\n', "cannot be read"),
    ],
)
def test_a_bad_entry_is_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in ours("en")
    problems = broken(tmp_path, en_messages=ours("en").replace(old, new, 1))
    assert any(problem.startswith("en/messages.po: ") and told in problem for problem in problems)


def test_an_unknown_placeholder_is_told_in_every_file(tmp_path: Path) -> None:
    problems = broken(
        tmp_path, **{f"{x}_messages": re.sub(r'(msgid "button_no"\nmsgstr ")', r"\1{whom}", ours(x)) for x in LANGUAGES}
    )
    assert problems == [f"{x}/messages.po: button_no: unknown placeholder {{whom}}" for x in LANGUAGES]


HEAD = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n'


def test_the_desks_words_are_held_against_each_other(tmp_path: Path) -> None:
    problems = broken(
        tmp_path,
        ar_desk=HEAD + '\nmsgid "queue"\nmsgstr "القائمة"\n\nmsgid "of"\nmsgstr "من {total}"\n',
        en_desk=HEAD + '\nmsgid "of"\nmsgstr "of all"\n',
    )
    assert problems == ["en/desk.po: of: lacks {total}", "en/desk.po: queue: is missing"]


def test_the_desk_may_not_be_there_yet(tmp_path: Path) -> None:
    for language in LANGUAGES:
        (tmp_path / language).mkdir()
        (tmp_path / language / "messages.po").write_text(ours(language), encoding="utf-8")
    assert load(tmp_path).names() == CATALOGUES.names()
