"""What the two pages show, as plain values for the templates: no look-ups there, no markup here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from bot.storage.files import Attachment
from bot.storage.lists import Counts, View
from bot.storage.queries import Line, Message, Notice, Question, Whole
from bot.tickets.calendar import WorkingCalendar
from bot.tickets.groups import grouped_by_meaning
from bot.tickets.lifecycle import LIVE, VERBS
from bot.tickets.promise import Policy, reading
from bot.tickets.reference import shown
from bot.tickets.ticket import KINDS, Entry, Ticket, Wrong
from bot.web.desk import attachments, deliveries
from bot.web.desk.forms import Form
from bot.web.desk.masking import Hiding, first_words
from bot.web.desk.words import Words, visible

TOLD = frozenset(v.name for v in VERBS.values() if v.tells & {"unit", "supervisor"}) | {
    "filed", "urgent", "low_rating", "not_delivered", "leave", "threat", "not_sent",
}  # fmt: skip
_NAMED = ("unit", "body", "kind", "category", "subcategory", "service", "flag")
_LONGEST_SHOWN = 10_000
QUESTIONS_SHOWN = 4


@dataclass(frozen=True)
class Office:
    """What reading a ticket's time takes: the terms, and the calendar of a unit."""

    policy: Callable[[], Policy]
    calendar: Callable[[str], WorkingCalendar]
    country: str = ""


@dataclass(frozen=True)
class Problem:
    """Why a form was not carried out: a sentence's name, and one for each field concerned."""

    name: str
    fields: Mapping[str, str] = field(default_factory=dict)
    since: int | None = None
    """The version that the form was made from, where somebody else was faster."""


def why(wrong: Wrong) -> str:
    """The sentence for a value that cannot be."""
    return "error_until" if wrong.field == "until" else "error_field"


def line(each: Line, t: Words, office: Office, now: datetime) -> dict[str, Any]:
    """A row of the list."""
    return {
        "ref": each.ref,
        "version": each.version,
        "shown": shown(each.ref),
        "first": first_words(each.text, each.flags, t),
        "kind": t.name("kind", each.kind),
        "category": t.name("category", each.category),
        "service": t.name("service", each.service),
        "unit": t.name("unit", each.unit),
        "staff": each.staff_name,
        "state": t(f"state_{each.state}"),
        "flags": _flags(each.flags),
        "incident": each.incident,
        "clock": t.line_clock(each, office.calendar(each.unit), now, office.policy().warn_before),
    }


def notice(each: Notice, t: Words, office: Office) -> dict[str, Any]:
    zone = office.calendar(str(each.params.get("unit", ""))).zone
    return {
        "id": each.id,
        "ref": each.ref,
        "shown": shown(each.ref),
        "words": t(f"told_{each.about}" if each.about in TOLD else "told_other"),
        "when": t.moment(each.at, zone),
    }


def empty(view: View, filtered: bool, counts: Counts, t: Words) -> dict[str, str]:
    """What an empty list says, and where to look instead."""
    if filtered:
        return {
            "heading": t("empty_filtered"),
            "text": t("empty_filtered_hint"),
            "url": f"/desk?view={view}",
            "link": t("clear"),
        }
    if view == "mine" and counts.unit:
        return {
            "heading": t("empty_mine"),
            "text": t("empty_mine_hint", n=counts.unit),
            "url": "/desk?view=unit",
            "link": t("view_unit"),
        }
    return {"heading": t(f"empty_{view}"), "text": t("empty_hint"), "url": "", "link": ""}


def ticket(
    whole: Whole,
    names: Mapping[str, str],
    t: Words,
    office: Office,
    now: datetime,
    sms_price: float,
    reader: str,
    unmasked: bool = False,
) -> dict[str, Any]:
    """The ticket's page, less its forms. Numbers in people's words are masked, unless `unmasked`."""
    it, mask = whole.ticket, Hiding(unmasked)
    calendar, policy = office.calendar(it.unit), office.policy()
    zone = calendar.zone
    page = {
        "ref": it.ref,
        "version": it.version,
        "state": t(f"state_{it.state}"),
        "flags": _flags(it.flags),
        "incident": it.incident,
        "abusive": "abuse" in it.flags,
        "limited": t("limited_until", when=t.moment(whole.limited_until, zone)) if whole.limited_until else "",
        "has_address": it.contact is not None,
        "may_join": not it.need_to_know and it.state in LIVE,
        "clock": t.clock(reading(it, calendar, policy, now), calendar, now, policy.warn_before),
        "words": visible(mask(it.text)[:_LONGEST_SHOWN]),
        "stopped": whole.stopped,
        "live": _live(whole.live, reader, names, t),
        "facts": _facts(whole, names, t, zone),
        "understood": _understood(it.reading, t),
        "files": _files(whole.files, t, mask),
        "messages": [_message(m, whole.channel, t, zone, sms_price, mask) for m in whole.messages],
        "history": [_entry(e, names, t, zone, mask) for e in reversed(it.history)],
    }
    return page | {"numbers": ("shown" if unmasked else "hidden") if mask.hidden else ""}


def _live(staff: str | None, reader: str, names: Mapping[str, str], t: Words) -> str:
    """Who is in the conversation; '' where the assistant is."""
    if staff is None:
        return ""
    return t("live_you") if staff == reader else t("live_colleague", who=names.get(staff, t("a_colleague")))


def _files(found: Sequence[Attachment], t: Words, mask: Hiding) -> list[attachments.Shown]:
    """Files as the page shows them; numbers in their names are masked, too."""
    made = [attachments.shown(each, t) for each in found]
    return [replace(each, name=mask(each.name)) for each in made]


def _message(m: Message, channel: str, t: Words, zone: ZoneInfo, sms_price: float, mask: Hiding) -> dict[str, Any]:
    """One message; a channel that is not the ticket's own is named."""
    text = mask(m.text)[:_LONGEST_SHOWN]
    return {
        "ours": m.to_person,
        "who": t("the_house") if m.to_person else t("the_person"),
        "when": t.moment(m.at, zone),
        "channel": t(f"via_{m.channel}") if m.channel != channel and not m.to_person else "",
        "text": text if m.to_person else visible(text),
        "buttons": m.buttons,
        "files": _files(m.files, t, mask),
        "delivery": deliveries.shown(m.delivery, t, zone, sms_price) if m.delivery else None,
    }


def problem(
    error: Problem,
    made: Sequence[Form],
    verb: str,
    typed: Mapping[str, str],
    it: Ticket,
    t: Words,
    calendar: WorkingCalendar,
) -> dict[str, Any]:
    """The box on top of a ticket whose form was refused: why, where, what changed, and what was typed if its form is gone."""
    form = next((f for f in made if f.verb == verb), None)
    labels = {f.name: f.label for f in form.fields} if form else {}
    changes = it.history[error.since :] if error.since is not None else []
    return {
        "text": t(error.name),
        "fields": [
            {"id": f"{verb}-{name}", "label": labels.get(name, name), "text": t(sentence)}
            for name, sentence in error.fields.items()
        ],
        "changes": [_entry(e, {}, t, calendar.zone, Hiding()) for e in changes],
        "kept": "" if form else "\n".join(v for k, v in typed.items() if k in ("text", "reason")),
    }


def grouped(found: Sequence[Question]) -> list[list[Question]]:
    """Questions on one service, else in one category, that mean the same; the most frequent first."""
    about: dict[str, list[Question]] = {}
    for each in found:
        about.setdefault(each.service or f"category {each.category}", []).append(each)
    groups = [
        [together[at] for at in group]
        for together in about.values()
        for group in grouped_by_meaning([each.vector for each in together])
    ]
    return sorted(groups, key=len, reverse=True)


def questions(group: Sequence[Question], t: Words, zone: ZoneInfo) -> dict[str, Any]:
    """A row of the questions' page: how often, since when, the first words of the newest, numbers masked."""
    named = [t.name("service", each.service) for each in group if each.service]
    return {
        "n": len(group),
        "newest": t.moment(group[0].opened_at, zone),
        "about": named[0] if named else t.name("category", group[0].category),
        "languages": [t(f"language_{code}") for code in sorted({each.language for each in group})],
        "examples": [
            {"ref": each.ref, "shown": shown(each.ref), "words": first_words(each.text, (), t)}
            for each in group[:QUESTIONS_SHOWN]
        ],
        "more": max(0, len(group) - QUESTIONS_SHOWN),
    }


def _flags(flags: Sequence[str] | set[str]) -> list[str]:
    order = ("urgent", "confidential", "needs_person", "my_data", "language", "abuse")
    return [f for f in order if f in flags]


def _facts(whole: Whole, names: Mapping[str, str], t: Words, zone: ZoneInfo) -> list[tuple[str, str]]:
    it = whole.ticket
    rows = [
        (t("field_kind"), t.name("kind", it.kind)),
        (t("field_category"), t.name("category", it.category)),
        (t("field_subcategory"), t.name("subcategory", it.subcategory)),
        (t("field_service"), t.name("service", it.service)),
        (t("field_unit"), t.name("unit", it.unit)),
        (t("field_staff"), names.get(it.staff or "", whole.staff_name) or t("nobody_yet")),
        (t("promised"), t("promised_until", due=it.promise.due.astimezone(zone).isoformat())),
        (t("opened"), t.moment(it.opened_at, zone)),
        (t("channel"), t(f"source_{it.source}")),
        (t("field_language"), t(f"language_{it.language}")),
        (t("field_beneficiary_type"), t(f"beneficiary_{it.beneficiary_type}") if it.beneficiary_type else ""),
        (t("field_on_behalf"), t("on_behalf_yes") if it.on_behalf else ""),
    ]
    return [(label, value) for label, value in rows if value]


def _understood(read: Mapping[str, Any], t: Words) -> list[tuple[str, str, str]]:
    """What the assistant read, each with how sure it was."""
    rows: list[tuple[str, str, str]] = []

    def add(label: str, value: str, of: Any) -> None:
        confidence = of.get("confidence") if isinstance(of, Mapping) else None
        if value:
            rows.append((t(label), value, t.sure(confidence) if isinstance(confidence, int | float) else ""))

    for what, key in (("kind", "intent"), ("category", "category"), ("language", "language")):
        of = read.get(key)
        id = str(of.get("name") or "") if isinstance(of, Mapping) else str(of or "")
        if what == "kind":
            value = t.name("kind", id) if id in KINDS else (t("understood_praise") if id == "praise" else "")
        elif what == "language":
            value = t(f"language_{id if id in ('ar', 'en', 'zh') else 'other'}") if id else ""
        else:
            value = t.name("category", id)
        add(f"field_{what}", value, of)
    for of in (read.get("services") or ())[:3]:
        if isinstance(of, Mapping) and of.get("id"):
            add("field_service", t.name("service", str(of["id"])), of)
    if flags := [f for f in read.get("flags") or () if isinstance(f, str)]:
        rows.append(
            (
                t("understood_flags"),
                " · ".join(t(f"read_{f}") for f in flags if f in ("danger", "insult", "confidential")),
                "",
            )
        )
    return [row for row in rows if row[1]]


def _entry(e: Entry, names: Mapping[str, str], t: Words, zone: ZoneInfo, mask: Hiding) -> dict[str, Any]:
    """One line of the history: who, what, when, and what was said with it."""
    who = {"beneficiary": t("the_person"), "system": t("the_house")}.get(e.by.kind, e.by.name or t("a_program"))
    details = [(t(f"field_{name}"), _named(name, e.said[name], t)) for name in _NAMED if e.said.get(name)]
    if "staff" in e.said:
        details.append((t("field_staff"), names.get(str(e.said["staff"]), t("a_colleague"))))
    if "hours" in e.said:
        details.append((t("field_hours"), t(f"limit_{e.said['hours']}")))
    if "rating" in e.said:
        details.append((t("field_rating"), f"{e.said['rating']} / 5"))
    if e.verb == "file" and e.by.kind == "staff":
        details.append((t("channel"), t(f"source_{e.said.get('channel', 'phone')}")))
        details.append((t("field_on_behalf"), t("on_behalf_yes") if e.said.get("on_behalf") else ""))
    if e.promise:
        details.append((t("promised"), t("promised_until", due=e.promise.due.astimezone(zone).isoformat())))
    told = [str(e.said[name]) for name in ("text", "reason") if isinstance(e.said.get(name), str) and e.verb != "file"]
    return {
        "verb": e.verb,
        "who": who,
        "what": t(_did(e)),
        "when": t.moment(e.at, zone),
        "details": [(label, value) for label, value in details if value],
        "words": visible(mask("\n".join(told))[:_LONGEST_SHOWN]) if e.by.kind != "system" else "",
    }


def _did(e: Entry) -> str:
    """The name of what was done; filing by staff, and leaving an incident, are told apart."""
    if e.verb == "file" and e.by.kind == "staff":
        return "did_log"
    return "did_unlink" if e.verb == "link" and e.said.get("off") else f"did_{e.verb}"


def _named(what: str, value: Any, t: Words) -> str:
    if what == "flag":
        return t.name("flag", str(value))
    return t.name(what, str(value)) if not isinstance(value, date) else ""
