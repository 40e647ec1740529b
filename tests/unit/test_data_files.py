"""The files of `data/` are whole: three languages everywhere, ids that exist, synonyms that point at one service."""

import datetime as dt
import re
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
import yaml

DATA = Path(__file__).parents[2] / "data"
SERVICE_FILES = sorted((DATA / "services").glob("*.yml"))
CALENDAR_FILES = sorted((DATA / "calendars").glob("*.yml"))

PUBLIC = ("ar", "en", "zh")
DESK = ("ar", "en")
KINDS = ["inquiry", "complaint", "suggestion", "report", "observation"]
CATEGORIES = [
    "processing_delay", "digital_service", "staff_conduct", "fees_payment", "requirements_procedure",
    "information_accuracy", "decision_appeal", "facilities", "accessibility", "contact_response",
    "privacy_security", "integrity", "safety_environment", "other",
]  # fmt: skip
FLAGS = ["confidential", "urgent", "needs_person", "my_data", "language", "abuse"]
CLASSES = ["A", "B", "C", "D"]
DANGERS = {"fire", "gas", "injury", "self_harm", "other"}
HIDDEN_FROM = {"service_unit_and_named_unit", "named_unit"}
# Nothing the public reads in one line may need a second message (R053 allows 320 for the whole).
LONGEST_LINE = 160


def load(name: str):
    return yaml.safe_load((DATA / name).read_text(encoding="utf-8"))


TAXONOMY = load("taxonomy.yml")
UNITS = load("units.yml")["units"]
ROUTING = load("routing.yml")
BODIES = load("bodies.yml")["bodies"]
BRANCHES = load("branches.yml")["branches"]
EMERGENCY = load("emergency.yml")["countries"]
PROMISES = load("promises.yml")
SERVICES = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in SERVICE_FILES}
CALENDARS = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in CALENDAR_FILES}

UNIT_ROLES = {unit["id"]: unit["role"] for unit in UNITS}
SUBCATEGORIES = {sub["id"]: cat["id"] for cat in TAXONOMY["categories"] for sub in cat["subcategories"]}


def trivially_folded(text: str) -> str:
    """Enough of the house's folding to see that two spellings are one: «رخصه المصنع» is «رخصة المصنع»."""
    text = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    text = text.lower().translate(str.maketrans("أإآٱؤئةى", "ااااويهي", "ءـ"))
    return " ".join(text.split())


def assert_said(texts, languages, where):
    """Each of the languages, no other, and none of them empty or in the wrong script."""
    assert set(texts) == set(languages), where
    for language, text in texts.items():
        assert isinstance(text, str) and text == text.strip() and text, (where, language)
        assert len(text) <= LONGEST_LINE, (where, language, len(text))
    assert re.search("[\u0600-\u06ff]", texts["ar"]), where
    assert re.search("[A-Za-z]", texts["en"]) and not re.search("[\u0600-\u06ff\u4e00-\u9fff]", texts["en"]), where
    if "zh" in texts:
        assert re.search("[\u4e00-\u9fff]", texts["zh"]) and not re.search("[\u0600-\u06ff]", texts["zh"]), where


def assert_unique(ids):
    assert [one for one, times in Counter(ids).items() if times > 1] == []
    assert all(re.fullmatch("[a-z][a-z0-9_]*", one) for one in ids)


def as_list(value):
    return value if isinstance(value, list) else [value]


# Taxonomy


def test_kinds_categories_and_flags_are_those_of_the_labels():
    assert [kind["id"] for kind in TAXONOMY["kinds"]] == KINDS
    assert [category["id"] for category in TAXONOMY["categories"]] == CATEGORIES
    assert [flag["id"] for flag in TAXONOMY["flags"]] == FLAGS


def test_taxonomy_is_said_in_every_language():
    for entry in TAXONOMY["kinds"] + TAXONOMY["categories"]:
        assert_said(entry["name"], PUBLIC, entry["id"])
        assert_said(entry["hint"], PUBLIC, entry["id"])
    for category in TAXONOMY["categories"]:
        for sub in category["subcategories"]:
            assert_said(sub["name"], PUBLIC, sub["id"])
    for flag in TAXONOMY["flags"]:
        assert_said(flag["name"], DESK, flag["id"])


def test_subcategories_are_three_to_six_and_unique():
    assert all(3 <= len(category["subcategories"]) <= 6 for category in TAXONOMY["categories"])
    assert_unique([sub["id"] for category in TAXONOMY["categories"] for sub in category["subcategories"]])
    assert not set(SUBCATEGORIES) & set(CATEGORIES)


# Units, branches, routing


def test_units():
    assert_unique([unit["id"] for unit in UNITS])
    for unit in UNITS:
        assert_said(unit["name"], PUBLIC, unit["id"])
        assert unit["calendar"] == "default" or unit["calendar"] in CALENDARS, unit["id"]
    roles = Counter(UNIT_ROLES.values())
    assert set(roles) == {"contact_centre", "internal_audit", "department", "branch"}
    assert roles["contact_centre"] == roles["internal_audit"] == 1


def test_every_branch_has_a_unit_of_its_own():
    assert_unique([branch["id"] for branch in BRANCHES])
    branch_units = [branch["unit"] for branch in BRANCHES]
    assert sorted(branch_units) == sorted(unit for unit, role in UNIT_ROLES.items() if role == "branch")
    keywords = [keyword for branch in BRANCHES for keyword in branch["keywords"]]
    assert len(set(keywords)) == len(keywords)
    for branch in BRANCHES:
        assert_said(branch["name"], PUBLIC, branch["id"])
        assert_said(branch["city"], PUBLIC, branch["id"])
        # A city alone names no branch: «أسكن في الرياض».
        cities = {trivially_folded(city) for city in branch["city"].values()}
        assert not cities & set(branch["keywords"])


def test_routing_names_only_what_exists():
    known = {
        "kind": set(KINDS),
        "category": set(CATEGORIES),
        "subcategory": set(SUBCATEGORIES),
        "service": set(SERVICES) | {"any"},
        "names_branch": {True},
    }
    for rule in ROUTING["rules"] + ROUTING["never_to_the_one_complained_of"]:
        for word, value in rule["when"].items():
            assert set(as_list(value)) <= known[word], rule
        for subcategory in as_list(rule["when"].get("subcategory", [])):
            assert SUBCATEGORIES[subcategory] == rule["when"]["category"], rule
        assert rule["unit"] in UNIT_ROLES or (rule["unit"] == "service_unit" and "service" in rule["when"]), rule


def test_the_last_rule_takes_everything_to_the_contact_centre():
    assert ROUTING["rules"][-1] == {"when": {}, "unit": "contact_centre"}
    assert all(rule["when"] for rule in ROUTING["rules"][:-1])


def test_nothing_goes_to_the_one_complained_of():
    never = ROUTING["never_to_the_one_complained_of"]
    assert all(UNIT_ROLES[rule["unit"]] in ("contact_centre", "internal_audit") for rule in never)
    assert all(rule["hidden_from"] in HIDDEN_FROM for rule in never)
    assert all(rule["unit"] not in rule.get("also_hidden_from", []) for rule in never)
    assert all(unit in UNIT_ROLES for rule in never for unit in rule.get("also_hidden_from", []))
    plain = {rule["when"]["category"]: rule for rule in never if set(rule["when"]) == {"category"}}
    assert plain["integrity"]["unit"] == "internal_audit"
    assert plain["staff_conduct"]["unit"] == "contact_centre"
    assert {rule["hidden_from"] for rule in plain.values()} == {"service_unit_and_named_unit"}
    # No branch ever receives a ticket by rule.
    assert all(UNIT_ROLES.get(rule["unit"]) != "branch" for rule in ROUTING["rules"])


# Services


@pytest.mark.parametrize("path", SERVICE_FILES, ids=lambda path: path.stem)
def test_service(path):
    service = SERVICES[path.stem]
    where = path.stem
    assert set(service) - {"hours"} == {
        "id", "class", "unit", "name", "summary", "synonyms", "documents", "conditions", "steps", "fee", "duration",
        "channels", "url", "reviewed_on", "owner",
    }  # fmt: skip
    assert service["id"] == where and re.fullmatch("[a-z][a-z0-9_]*", where)
    assert service["class"] in CLASSES
    assert service["unit"] in UNIT_ROLES and service["owner"] in UNIT_ROLES
    assert_said(service["name"], PUBLIC, where)
    assert_said(service["summary"], PUBLIC, where)
    assert_said(service["fee"]["text"], PUBLIC, where)
    assert_said(service["duration"]["text"], PUBLIC, where)
    if "hours" in service:
        assert_said(service["hours"], PUBLIC, where)
    for part, least, most in (("documents", 3, 7), ("conditions", 2, 5), ("steps", 2, 6)):
        lists = service[part]
        assert set(lists) == set(PUBLIC), (where, part)
        assert len({len(lines) for lines in lists.values()}) == 1, (where, part, "as many lines in every language")
        assert least <= len(lists["ar"]) <= most, (where, part)
        for lines in zip(*(lists[language] for language in PUBLIC), strict=True):
            assert_said(dict(zip(PUBLIC, lines, strict=True)), PUBLIC, (where, part))
    assert service["fee"]["amount"] >= 0 and service["fee"]["currency"] == "SAR"
    assert service["duration"]["working_days"] >= 1
    assert set(service["channels"]) <= {"portal", "branch", "phone", "app"} and service["channels"]
    assert service["url"] is None
    assert isinstance(service["reviewed_on"], dt.date)


def test_there_are_about_thirty_services():
    assert 28 <= len(SERVICES) <= 45


def test_no_fee_is_said_differently_from_its_amount():
    for name, service in SERVICES.items():
        amount = service["fee"]["amount"]
        expected = f"{amount:,}" if amount else {"ar": "بدون رسوم", "en": "Free of charge", "zh": "免费"}
        for language, text in service["fee"]["text"].items():
            assert (expected if amount else expected[language]) in text, name


def test_a_payment_step_stands_only_where_there_is_a_fee():
    for name, service in SERVICES.items():
        pays = any(re.search(r"\bfee\b", step.lower()) for step in service["steps"]["en"])
        assert pays == bool(service["fee"]["amount"]), name


def test_every_service_is_known_by_enough_words():
    for name, service in SERVICES.items():
        arabic = [word for word in service["synonyms"]["ar"] if not word.isascii()]
        arabizi = [word for word in service["synonyms"]["ar"] if word.isascii()]
        assert 8 <= len(arabic) <= 16 and 2 <= len(arabizi) <= 3, name
        assert 4 <= len(service["synonyms"]["en"]) <= 8, name
        assert 3 <= len(service["synonyms"]["zh"]) <= 5, name


def test_a_synonym_points_at_one_service():
    owner: dict[str, str] = {}
    for name, service in SERVICES.items():
        words = [word for language in PUBLIC for word in service["synonyms"][language]]
        folded = [trivially_folded(word) for word in words]
        assert len(set(folded)) == len(folded), (name, "the same synonym twice")
        for word in {*folded, *(trivially_folded(text) for text in service["name"].values())}:
            assert owner.setdefault(word, name) == name, (word, owner[word], name)


def test_the_plain_words_for_a_licence_find_the_new_licence():
    words = {trivially_folded(word) for word in SERVICES["industrial_licence_new"]["synonyms"]["ar"]}
    for said in ("الترخيص الصناعي", "معاملة الترخيص الصناعي", "الرخصة الصناعية", "رخصة مصنع"):
        assert trivially_folded(said) in words


# Not ours, danger


def test_bodies():
    assert_unique([body["id"] for body in BODIES])
    for body in BODIES:
        assert_said(body["name"], PUBLIC, body["id"])
        assert_said(body["about"], PUBLIC, body["id"])
        assert set(body["countries"]) <= {"SA", "JO"} and body["countries"]
        assert body["phone"] is None or re.fullmatch(r"\d{3,12}", body["phone"]), body["id"]
        assert body["keywords"] == [trivially_folded(word) for word in body["keywords"]], body["id"]
    per_country = Counter(country for body in BODIES for country in body["countries"])
    assert per_country["SA"] >= 14 and per_country["JO"] >= 14


def test_a_keyword_of_another_body_points_at_one_body_in_a_country_and_never_at_our_service():
    ours = {
        trivially_folded(word)
        for service in SERVICES.values()
        for words in service["synonyms"].values()
        for word in words
    }
    for country in ("SA", "JO"):
        words = [word for body in BODIES if country in body["countries"] for word in body["keywords"]]
        assert [word for word, times in Counter(words).items() if times > 1] == []
        assert not ours & set(words)


def test_one_emergency_number_for_each_country_and_danger():
    assert set(EMERGENCY) == {"SA", "JO"}
    for country, numbers in EMERGENCY.items():
        dangers = [danger for number in numbers for danger in number["for"]]
        assert sorted(dangers) == sorted(DANGERS), country
        for number in numbers:
            assert_said(number["name"], PUBLIC, number["number"])
            assert isinstance(number["number"], str) and re.fullmatch(r"\d{3}", number["number"])


# Time


@pytest.mark.parametrize("path", CALENDAR_FILES, ids=lambda path: path.stem)
def test_calendar(path):
    calendar = CALENDARS[path.stem]
    assert calendar["id"] == path.stem and calendar["country"] == path.stem.upper()
    assert calendar["zone"] in ("Asia/Riyadh", "Asia/Amman")
    week = {"sat", "sun", "mon", "tue", "wed", "thu", "fri"}
    for hours in (calendar["hours"], calendar["ramadan_hours"]):
        assert set(hours) == week - set(calendar["weekend"])
        for shifts in hours.values():
            edges = []
            for shift in shifts:
                opens, closes = (dt.time.fromisoformat(edge) for edge in shift.split("-"))
                edges += [opens, closes]
            assert edges and edges == sorted(set(edges))
    for override in calendar["overrides"]:
        assert isinstance(override["date"], dt.date) and isinstance(override["hours"], list)
        assert_said(override["name"], PUBLIC, override["date"])


def test_promises_cover_every_kind_and_class():
    assert sorted(PROMISES["terms"]) == sorted(KINDS)
    for kind, terms in PROMISES["terms"].items():
        assert list(terms) == CLASSES, kind
        # A higher impact never waits longer.
        assert list(terms.values()) == sorted(terms.values()) and terms["A"] >= 1, kind
    assert set(PROMISES["category"]) <= set(CATEGORIES)
    assert PROMISES["unknown_service_class"] in CLASSES
    waiting = PROMISES["waiting"]
    assert sorted(waiting["remind_after"]) == waiting["remind_after"]
    assert waiting["remind_after"][-1] < waiting["close_after"]
    for name in (
        "my_data_days",
        "warn_before_working_hours",
        "close_after_resolved_working_days",
        "reopen_within_days",
    ):
        assert PROMISES[name] > 0, name


# Canned answers


CANNED = load("canned.yml")["canned"]


def test_canned_answers_say_the_same_in_three_languages():
    assert_unique([one["id"] for one in CANNED])
    for one in CANNED:
        assert set(one["name"]) == set(DESK) and set(one["text"]) == set(PUBLIC), one["id"]
        assert set(one.get("kinds", KINDS)) <= set(KINDS), one["id"]
        filled = {language: sorted(re.findall(r"{(\w+)}", text)) for language, text in one["text"].items()}
        assert len({tuple(names) for names in filled.values()}) == 1, (one["id"], filled)
        gaps = {len(re.findall(r"[\[\uff3b].+?[\]\uff3d]", text)) for text in one["text"].values()}
        assert len(gaps) == 1, one["id"]
        arabic = re.sub(r"{\w+}", "", one["text"]["ar"])
        assert not re.search("[A-Za-z]", arabic + one["name"]["ar"]) and re.search("[\u0600-\u06ff]", arabic), one["id"]
        assert re.search("[\u4e00-\u9fff]", one["text"]["zh"]), one["id"]
        assert all(len(text) <= 400 for text in one["text"].values()), one["id"]
    for kind in KINDS:
        assert sum(kind in one.get("kinds", KINDS) for one in CANNED) >= 7, kind
