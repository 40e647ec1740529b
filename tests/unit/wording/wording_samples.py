"""A register that knows one thing of every sort, and what the house typically passes."""

from __future__ import annotations

from typing import Any

NAMES = {
    "kind": {"ar": "شكوى", "en": "Complaint", "zh": "投诉"},
    "category": {"ar": "تأخر الإنجاز", "en": "Delays", "zh": "办理延误"},
    "service": {"ar": "إصدار ترخيص صناعي", "en": "Issue of an industrial licence", "zh": "办理工业许可证"},
    "unit": {"ar": "مركز تواصل الشركاء", "en": "Partner Contact Centre", "zh": "合作伙伴联络中心"},
    "branch": {"ar": "فرع الرياض", "en": "Riyadh Branch", "zh": "利雅得分部"},
    "body": {"ar": "وزارة التجارة", "en": "Ministry of Commerce", "zh": "商务部"},
    "flag": {"ar": "سرية", "en": "Confidential", "zh": "保密"},
}
CARD = {"ar": "خلال خمسة أيام عمل", "en": "Within 5 working days", "zh": "5个工作日内"}
DUE = "2026-11-30T14:30:00+03:00"


def register(what: str, id: str, language: str) -> str | None:
    """The name of the one thing of each sort that there is; what the one service's card and the one body's entry say."""
    if what == "card_reviewed":
        return "2026-10-01"
    if what.startswith("card_") or what == "about":
        return CARD[language]
    return NAMES.get(what, {}).get(language) if id == f"some_{what}" else None


def sample_params(text: str = "راجعت الفرع ثلاث مرات وتأخر ترخيصي شهرين ولم يرد علي أحد") -> dict[str, Any]:
    """What the house typically passes, for every parameter that there is."""
    line = {"ref": "6821093659", "kind": "some_kind", "state": "open", "due": DUE}
    return {
        **{what: f"some_{what}" for what in NAMES},
        **dict.fromkeys(("text", "answer", "question", "reason", "comment"), text),
        "ref": "6821093659", "receipt": "315204377518", "state": "open", "language": "en",
        "due": DUE, "due_day": DUE, "opening": "2026-11-29T07:30:00+03:00", "date": "2026-11-30",
        "number": "998", "phone": "920020405", "who": "سارة", "n": 3, "days": 30, "rating": 4, "version": "2026-11",
        "hours": [{"first": 6, "last": 3, "hours": ["07:30", "14:30"]}], "branches": ["some_branch"],
        "holiday": {"ar": "اليوم الوطني", "en": "National Day", "zh": "国庆日"},
        "limit": "10,000", "count": 12, "tickets": [line, {**line, "due": None}],
    }  # fmt: skip
