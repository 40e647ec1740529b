"""Which language script and telling words give away."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.arabic.arabizi import readings, sound
from nlu.arabic.language import DECIDED, read


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("وين وصلت معاملتي", "ar"),
        ("السلام علیکم کیف الحال", "ar"),
        ("شكو ماكو، چان عندي موعد", "ar"),
        ("أريد تحديث بيانات تطبيق Absher", "ar"),
        ("wain mo3amalti ya jama3a", "ar"),
        ("bdi a3raf shu sar bel talab", "ar"),
        ("Where is my application", "en"),
        ("我的申请到哪了", "zh"),
        ("میری درخواست کہاں ہے", "other"),
        ("درخواست من چه شد؟ برای چی رد شده است", "other"),
        ("मेरा आवेदन कहाँ है", "other"),
        ("আমার আবেদন কোথায়", "other"),
        ("où est ma demande, je vous prie", "other"),
        ("nasaan na po ang application ko", "other"),
        ("başvurum ne zaman biter, çok bekledim", "other"),
        ("mera application kahan hai bhai", "other"),
        ("私の申請はどこですか", "other"),
        ("где моё заявление", "other"),
    ],
)
def test_language(text, language):
    assert read(text).language == language


@pytest.mark.parametrize("text", ["", "٣", "2", "👍", "؟!", "/start", "05512", " \n", "/greet"])
def test_what_has_no_language_of_its_own(text):
    assert read(text).language is None


def test_arabic_letters_decide():
    assert read("متى تفتح الدائرة").confidence >= DECIDED


@given(st.text(st.characters(exclude_categories=()), max_size=200))
def test_any_text_is_read(text):
    language, confidence = read(text)
    assert language in ("ar", "en", "zh", "other", None)
    assert 0 <= confidence <= 1


@pytest.mark.parametrize(
    ("latin", "arabic"),
    [
        ("mo3amalti", "معاملتي"),
        ("shakwa", "شكوي"),
        ("wazara", "وزاره"),
        ("ro5sa", "رخصه"),
        ("m3amleh", "معامله"),
        ("fatoora", "فاتوره"),
    ],
)
def test_both_scripts_sound_the_same(latin, arabic):
    assert sound(latin) == sound(arabic)


def test_a_word_in_arabic_letters_has_no_readings():
    assert readings("معاملتي") == []
