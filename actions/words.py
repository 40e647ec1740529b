"""What the words of a message hold, before and beside the model: content, a kind called by its name."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from nlu.arabic.fold import fold

CONTENTLESS = Path(__file__).parent / "contentless.txt"
_HAN = re.compile("[\u3400-\u9fff\uf900-\ufaff]+")


@cache
def _contentless() -> frozenset[str]:
    lines = CONTENTLESS.read_text(encoding="utf-8").splitlines()
    return frozenset(fold(w) for line in lines if not line.startswith("#") for w in line.split())


def words(text: str) -> list[str]:
    """The folded words of a text that hold a letter or a digit; two Han characters count as a word."""
    found: list[str] = []
    for word in fold(text).split():
        if not any(c.isalnum() for c in word):
            continue
        if _HAN.search(word):
            found += [run[i : i + 2] for run in _HAN.findall(word) for i in range(0, len(run), 2)]
            found += [rest for rest in _HAN.split(word) if any(c.isalnum() for c in rest)]
        else:
            found.append(word)
    return found


def has_content(text: str) -> bool:
    """False for «السلام عليكم عندي شكوى»: greeting and the wish to speak, nothing yet of what about."""
    bare = [w.strip("،؛؟?!.,:…\"'()。，！？") for w in fold(text).split()]
    bare = [w for w in bare if any(c.isalnum() for c in w)]
    return any(w not in _contentless() for w in bare) and any(len(w) > 1 for w in bare)


KIND_WORDS = {
    "complaint": "شكوى شكوه شكوي شكاوي شكاوى اشتكي اشكي نشتكي اتشكى complaint complain shakwa ashtki 投诉",
    "report": "بلاغ بلاغات ابلغ نبلغ تبليغ report 举报",
    "suggestion": "اقتراح مقترح اقتراحات اقترح suggestion suggest 建议",
    "inquiry": "استفسار استفسر سؤال سوال اسال question inquiry enquiry so2al 咨询 问题 请问",
    "observation": "ملاحظة ملاحظه ملاحظات observation remark",
}


@cache
def _kind_words() -> dict[str, str]:
    return {fold(word): kind for kind, words_ in KIND_WORDS.items() for word in words_.split()}


def wish(text: str) -> str | None:
    """The kind that a short message asks for by its name and nothing else: «عندي شكوى», 我要投诉."""
    if has_content(text) or not text.strip():
        return None
    folded = [w.strip("،؛؟?!.,:…").removeprefix("ال").removeprefix("ب").removeprefix("ل") for w in words(text)]
    named = [kind for w in folded if (kind := _kind_words().get(w))]
    return named[0] if named else next((k for w, k in _kind_words().items() if not w.isascii() and w in text), None)


def kind_named(text: str) -> str | None:
    """The kind that a message calls itself in its first words, where the reading is not sure of another."""
    first = [w.strip("،؛؟?!.,:…").removeprefix("ال") for w in words(text)[:5]]
    named = next((kind for w in first if (kind := _kind_words().get(w)) and kind != "inquiry"), None)
    return named or next(
        (k for w, k in _kind_words().items() if not w.isascii() and w in text[:8] and k != "inquiry"), None
    )
