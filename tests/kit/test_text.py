"""Text that people write: text that looks the same is equal, and names have no invisible characters."""

import pytest

from bank_graphql.kit.errors import ValidationFailed
from bank_graphql.kit.text import check_line, check_name, has_hidden, normalise


@pytest.mark.parametrize(
    "name",
    [
        "Ada Lovelace", "Zoë", "O’Brien-Ó Súilleabháin", "李小龍", "葛󠄀城", "محمد", "نمی‌خواهم", "क्‍ष", "👩‍👩‍👧", "❤️ fund", "❤️‍🔥", "1️⃣", "©️", "Holidays 2027", "№ 5", "?",
    ],
)  # fmt: skip
def test_names_in_all_scripts_are_accepted(name: str) -> None:
    assert check_name(name, "A name", ("name",), 100) == normalise(name)


def test_spaces_of_any_kind_become_one_space() -> None:
    for spelling in ("Ada  Lovelace", "Ada\u00a0Lovelace", " Ada\u2003\u202fLovelace\u3000"):
        assert check_name(spelling, "A name", ("name",), 100) == "Ada Lovelace"


@pytest.mark.parametrize(
    "name",
    [
        "Ada\u200b", "A\u200bda", "\u200bAda", "Ada\u2060", "\ufeffAda", "Ad\u00ada", "A\u200cda", "A\u200dda", "Ada\u200d", "\u200dAda", "Ada \u200d",
        "\u3164", "\u115f\u1160", "\uffa0", "\u2800", "Ada\U000e0041", "\U000e0041", "Ada\u200e", "Ada\u061c", "\ufe0f", " \ufe0f", "\u180e", "Ada\u034f",
        "Ada\ufe0f Lovelace", "A\ufe0fB", "A\U000e0fffB", "A\U0001d159B", "\uffff", "A\ufdd0", "A\u0378", "A\ue000", "A\U0001bca0", "A\U00016fe4",
        "Ada\U0001d173", "\u0301", "A\u202eda", "a\x00b", "a\nb", "a\u2028b", "\ud800",
    ],
)  # fmt: skip
def test_invisible_characters_are_refused_in_names(name: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        check_name(name, "A name", ("name",), 100)
    assert refused.value.problems[0].code == "INVALID"


@pytest.mark.parametrize("name", ["", " ", "\u00a0\u3000", "\t\n"])
def test_an_empty_name_is_refused(name: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        check_name(name, "A name", ("name",), 100)
    assert refused.value.problems[0].code == "REQUIRED"


def test_lines_of_text_may_have_invisible_characters() -> None:
    flag = "Football \U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
    assert check_line(flag, "A description", ("description",), 100) == flag
    assert check_line("  ", "A description", ("description",), 100) is None
    assert check_line(None, "A description", ("description",), 100) is None
    assert check_line(" Cafe\u0301 ", "A description", ("description",), 5) == "Café"
    assert has_hidden(flag)
