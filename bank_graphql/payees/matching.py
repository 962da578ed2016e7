"""Compares the name of a payee with that of an account's holder. Pure.

As the EPC recommends for its scheme (EPC288-23), these make no difference: case, accents, punctuation, the order of words,
titles, legal forms, and the ways to write letters such as ü in ASCII. A typing mistake, an initial, the beginning of a name or a
missing middle name make a close match.
"""

import re
import unicodedata
from collections.abc import Sequence
from itertools import permutations, product

from rapidfuzz.distance import DamerauLevenshtein

from bank_graphql.payees.enums import PayeeMatch

_LETTERS = {
    "ß": ("ss",), "æ": ("ae",), "œ": ("oe",), "ø": ("o", "oe"), "å": ("a", "aa"), "ł": ("l",), "đ": ("d", "dj"), "ð": ("d",),
    "þ": ("th",), "ı": ("i",), "ä": ("a", "ae"), "ö": ("o", "oe"), "ü": ("u", "ue"),
}  # fmt: skip
"""Letters that are written in several ways in ASCII. All others lose their accents."""
_ROMAN = str.maketrans(
    {
        **dict(zip("абвгдезийклмнопрстуфыэ", "abvgdeziyklmnoprstufye", strict=True)),
        **dict(zip("αβγδεζηικλμνξοπρστυφω", "avgdeziiklmnxoprstyfo", strict=True)),
        "ё": "e", "ж": "zh", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "", "ь": "", "ю": "yu", "я": "ya",
        "і": "i", "ї": "i", "є": "ie", "ґ": "g", "ς": "s", "θ": "th", "χ": "ch", "ψ": "ps",
    }
)  # fmt: skip
"""Cyrillic and Greek letters in the Latin alphabet, roughly as in passports (ICAO 9303)."""
_TITLES = frozenset(
    ["mr", "mrs", "ms", "miss", "mx", "dr", "prof", "herr", "frau", "mme", "mlle", "m", "ing", "dipl", "mag", "sir", "dame"]
)
_FORMS = {
    "limited": "ltd", "incorporated": "inc", "corporation": "corp", "company": "co", "aktiengesellschaft": "ag",
    "gesellschaft": "ges", "mbh": "gmbh",
}  # fmt: skip
"""Words of legal forms, and how they are abbreviated."""
_LEGAL = frozenset(
    [
        "ltd",
        "inc",
        "corp",
        "co",
        "ag",
        "gmbh",
        "kg",
        "ohg",
        "ug",
        "ev",
        "eg",
        "se",
        "sa",
        "sas",
        "sarl",
        "srl",
        "spa",
        "bv",
        "nv",
        "ab",
        "as",
        "oy",
        "plc",
        "llc",
        "llp",
        "gbr",
    ]
)
_BEST = (PayeeMatch.MATCH, PayeeMatch.CLOSE_MATCH, PayeeMatch.NO_MATCH)
_AND = re.compile(r"\s(?:and|und|et|y|e|og|och|en|i)\s|[&+/;]")
_WORD = re.compile(r"[^\W_]+")
_APOSTROPHES = re.compile(r"[.'’`´]")
_MAX_SPELLINGS = 32
_LONG = 5
"""The letters of a word from which on one mistake makes a close match; twice as many for two."""


def compare(given: str, actual: str) -> PayeeMatch:
    """Return how a name compares with that of an account's holder. A name of several holders matches if one of them does.

    Args:
        given: the name of the payee, as the payer knows it.
        actual: the name of the holder.
    """
    best = PayeeMatch.NO_MATCH
    for mine, theirs in product(_spellings(given), [each for holder in _holders(actual) for each in _spellings(holder)]):
        if not mine or not theirs:
            continue
        if sorted(mine) == sorted(theirs) or "".join(mine) == "".join(theirs):
            return PayeeMatch.MATCH
        if _is_close(mine, theirs):
            best = PayeeMatch.CLOSE_MATCH
    return best


def compare_with_holders(given: str, holders: Sequence[str]) -> tuple[PayeeMatch, str | None]:
    """Return how a name compares with those who own an account, and with which of them it compares best.

    Args:
        given: the name that the payer gave.
        holders: their names; none of an account that does not exist.
    """
    joint = [" and ".join(holders)] if len(holders) > 1 else []
    found = [(compare(given, holder), holder) for holder in (*holders, *joint)]
    return min(found, key=lambda each: _BEST.index(each[0]), default=(PayeeMatch.NOT_POSSIBLE, None))


def _holders(name: str) -> list[str]:
    """Return a name, and those of the holders in it: "Ada and Charles Lovelace" is Ada Lovelace, and Charles Lovelace."""
    parts = [part.strip() for part in _AND.split(f" {name} ".lower()) if part.strip()]
    if len(parts) < 2:
        return [name]
    last = parts[-1].split()
    shared = last[-1] if len(last) > 1 else ""
    return [name, *(part if " " in part or part == parts[-1] else f"{part} {shared}" for part in parts)]


def _spellings(name: str) -> list[tuple[str, ...]]:
    """Return the words of a name, in each way in which it can be written in ASCII."""
    letters = unicodedata.normalize("NFKC", _APOSTROPHES.sub("", name)).lower()
    composed = _AND.sub(" ", f" {letters} ")
    choices = [_LETTERS.get(letter, (_plain(letter),)) for letter in composed]
    if 2 ** sum(len(each) > 1 for each in choices) <= _MAX_SPELLINGS:
        several = {"".join(each) for each in product(*choices)}
    else:  # all letters in the short way, and all in the long way
        several = {"".join(each[end] for each in choices) for end in (0, -1)}
    return sorted({words for text in several for words in _words(text)})


def _words(text: str) -> list[tuple[str, ...]]:
    """Return the words that count: without titles; and without legal forms, unless nothing would remain."""
    words = [_FORMS.get(word, word) for word in _WORD.findall(text)]
    named = tuple(word for word in words if word not in _TITLES) or tuple(words)
    return [named, tuple(word for word in named if word not in _LEGAL) or named]


def _plain(letter: str) -> str:
    """Return a letter in the Latin alphabet, without accents."""
    if ord(letter) in _ROMAN:
        return letter.translate(_ROMAN)
    bare = "".join(part for part in unicodedata.normalize("NFD", letter) if not unicodedata.combining(part))
    return bare.translate(_ROMAN)


def _is_close(mine: tuple[str, ...], theirs: tuple[str, ...]) -> bool:
    """Return whether two names are those of one person, but for small differences."""
    few, many = sorted((mine, theirs), key=len)
    if len(few) < 2 and len(many) > 1:
        return False  # a first name alone says too little
    if len(many) > 6:
        return DamerauLevenshtein.distance("".join(sorted(mine)), "".join(sorted(theirs))) <= 1
    if len(many) - len(few) > 1:
        return False
    return any(all(map(_is_close_word, few, chosen)) for chosen in permutations(many, len(few))) and _has_whole_word(few, many)


def _is_close_word(mine: str, theirs: str) -> bool:
    short, long = sorted((mine, theirs), key=len)
    if len(short) == 1 or (len(short) >= 3 and long.startswith(short)):
        return long.startswith(short)
    allowed = len(short) // _LONG
    return DamerauLevenshtein.distance(mine, theirs) <= min(allowed, 2)


def _has_whole_word(few: tuple[str, ...], many: tuple[str, ...]) -> bool:
    """Return whether at least one word is the same but for typing mistakes, so that initials alone do not match."""
    return any(
        len(a) > 1 and len(b) > 1 and DamerauLevenshtein.distance(a, b) <= min(len(a) // _LONG, 2) for a in few for b in many
    )
