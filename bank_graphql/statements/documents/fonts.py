"""Text in any script: the font of each character, the visual order of lines, and how texts are broken into lines.

The fonts come from packages, whose versions are pinned, because other fonts would change the bytes of old documents. Arabic
letters are joined (arabic-reshaper), and right-to-left text is put in visual order (python-bidi, UAX #9). A character that no
font has is shown as a replacement character.
"""

import re
import unicodedata
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

import arabic_reshaper
from bidi.algorithm import get_display
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

_FILES = (
    ("fontpkg_noto_sans", "files/NotoSans[wdth,wght].ttf"),
    ("fontpkg_noto_sans_arabic", "files/NotoSansArabic[wdth,wght].ttf"),
    ("fontpkg_arimo", "files/Arimo[wght].ttf"),  # has Hebrew
    ("fontpkg_noto_sans_devanagari", "files/NotoSansDevanagari[wdth,wght].ttf"),
    ("fontpkg_noto_sans_thai", "files/NotoSansThai[wdth,wght].ttf"),
    ("paperang_p2_fonts_cjk", "fonts/wqy-microhei.ttc"),
)
"""The fonts, each as a package and a file in it. A character is shown in the first one that has it."""
_MISSING = "\N{REPLACEMENT CHARACTER}"
_LAST = 0xFFFD
"""The last character of the Basic Multilingual Plane. Beyond it reportlab writes wrong names of characters, so that they could
not be searched or copied."""
_RIGHT_TO_LEFT = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_ARABIC = re.compile(r"[\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff]")
_UNSEEN = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]")
_SPACES = re.compile(r"\s+")
_WIDE = r"\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uffef"
_WORDS = re.compile(rf"[{_WIDE}]|[^\s{_WIDE}]+|\s")
"""What a line is broken between: words, spaces, and the characters of scripts that have no spaces."""


class Run(NamedTuple):
    """A part of a line that is shown in one font."""

    font: str
    text: str


def clean(text: str) -> str:
    """Return a text as it can be shown: composed, without control characters, with single spaces."""
    return _SPACES.sub(" ", _UNSEEN.sub("", unicodedata.normalize("NFC", text))).strip()


def runs(line: str) -> list[Run]:
    """Return the runs of a line, from left to right."""
    if _main_letters().issuperset(line):
        return [Run(_name(0), line)]
    if _RIGHT_TO_LEFT.search(line):
        line = "".join(_shown(letter)[1] for letter in line)  # the algorithm fails for characters that are none
        line = str(get_display(arabic_reshaper.reshape(line) if _ARABIC.search(line) else line))
    found: list[Run] = []
    for letter in line:
        font, shown = _shown(letter)
        if found and (found[-1].font == font or (letter == " " and found[-1].font != _name(len(_FILES) - 1))):
            found[-1] = Run(found[-1].font, found[-1].text + shown)
        else:
            found.append(Run(font, shown))
    return found


@lru_cache(maxsize=20_000)
def width(line: str, size: float) -> float:
    """Return how wide a line is, in points. That of several words is the sum of theirs, for there is no kerning."""
    return float(sum(pdfmetrics.stringWidth(text, font, size) for font, text in runs(line)))


def wrap(text: str, size: float, maximum: float) -> list[str]:
    """Return a text in lines that are at most so wide. A word that is wider is broken."""
    lines, used = [""], 0.0
    for word in _WORDS.findall(clean(text)):
        parts = [word] if width(word, size) <= maximum else list(word)
        for part in parts:
            wide = width(part, size)
            if used + wide > maximum and part != " ":
                lines.append("")
                used = 0.0
            lines[-1] += part
            used += wide
    return [line.strip() for line in lines]


@lru_cache(maxsize=20_000)
def _shown(letter: str) -> tuple[str, str]:
    """Return the font that shows a character, and the character or what stands for it."""
    if ord(letter) <= _LAST:
        for index in range(len(_FILES)):
            if ord(letter) in _font(index).face.charToGlyph:
                return _name(index), letter
    return _name(0), _MISSING


def _name(index: int) -> str:
    return f"Statement{index}"


@lru_cache
def _font(index: int) -> TTFont:
    package, path = _FILES[index]
    font = TTFont(_name(index), str(files(package) / path))
    pdfmetrics.registerFont(font)
    return font


@lru_cache
def _main_letters() -> frozenset[str]:
    return frozenset(chr(number) for number in _font(0).face.charToGlyph if number <= _LAST)


def main_font() -> str:
    """Return the font of what the bank writes, which is read when it is first needed."""
    return str(_font(0).fontName)
