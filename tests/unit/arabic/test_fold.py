"""Folding: many spellings become one, offsets stay true, for any text."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.arabic.digits import to_latin
from nlu.arabic.fold import fold, tokens

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=200)
ARABIC_TEXT = st.text("ابتةثجحخدذرزسشصضطظعغفقكلمنهويىآأإؤئءـًٌٍَُِّْ ٠١٢٣۴۵گچپکیھ‌‏.؟!،a7", max_size=200)


@given(ANY_TEXT | ARABIC_TEXT)
def test_fold_twice_is_fold_once(text):
    assert fold(fold(text)) == fold(text)


@given(ANY_TEXT | ARABIC_TEXT)
def test_a_token_is_the_fold_of_its_place_in_the_original(text):
    for token in tokens(text):
        assert fold(text[token.start : token.end]) == token.text


@given(ANY_TEXT | ARABIC_TEXT)
def test_tokens_are_words_in_order_that_do_not_overlap(text):
    end = 0
    for token in tokens(text):
        assert token.text.strip()
        assert end <= token.start < token.end <= len(text)
        end = token.end


@given(ARABIC_TEXT)
def test_composed_and_decomposed_text_fold_alike(text):
    assert fold(unicodedata.normalize("NFD", text)) == fold(unicodedata.normalize("NFC", text))


@given(ANY_TEXT)
def test_latin_digits_keep_every_offset(text):
    assert len(to_latin(text)) == len(text)


@pytest.mark.parametrize(
    "spellings",
    [
        ["مدرسة", "مدرسه", "مَدْرَسَة", "مـــدرسة", "مدرسۃ", "مد\u200cرسة", "مد\u200fرسه"],
        ["إلى", "الى", "الي", "إلي", "اِلى"],
        ["شيء", "شي", "شئ"],
        ["أحمد", "احمد", "آحمد", "ٱحمد", "إحمد"],
        ["كيف", "کیف", "كییییف"],
        ["شكرا", "شكراً", "شكرااااا", "شُكرًا"],
        ["گال", "قال"],
        ["هههه", "ههههههههه"],
        ["2024", "٢٠٢٤", "۲۰۲۴", "２０２４"],
        ["HELLO", "hello", "Ｈｅｌｌｏ", "helllllo"],
        ["الله", "الللله", "ﷲ"],
    ],
)
def test_spellings_of_one_word_are_one(spellings):
    assert len({fold(spelling) for spelling in spellings}) == 1


def test_different_words_stay_different():
    assert len({fold(word) for word in ("ممكن", "مكن", "سبب", "سب", "علم", "عالم", "الله", "اله")}) == 8


def test_the_words_of_a_mixed_message():
    text = "رقم44021 w 3ayez أعرف؟؟ 我要 😂😂"
    assert [token.text for token in tokens(text)] == [
        "رقم", "44021", "w", "3ayez", "اعرف", "?", "我", "要", "😂",
    ]  # fmt: skip
