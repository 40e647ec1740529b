"""Digits of any script as the Latin ones, one for one, so that offsets stay true.

to_latin("٠٥٥ ۱۲")  ->  "055 12"
"""

import unicodedata


class _DigitMap(dict[int, int]):
    """Only decimal digits are replaced; everything else stays itself."""

    def __missing__(self, code: int) -> int:
        value = unicodedata.decimal(chr(code), None)
        return code if value is None else ord("0") + value


def to_latin(text: str) -> str:
    """The same text, as long as before, with every decimal digit written 0 to 9."""
    return text.translate(_DigitMap())
