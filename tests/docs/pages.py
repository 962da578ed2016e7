"""A page of the documentation as a list of steps.

An example is a block in `graphql` whose title says who sends it, followed by its answer, a block in `json`. Strings that differ each time
are "…" in answers. A comment in HTML keeps what the next examples need as the values of their variables:

    <!-- card = issueCard.id -->                   a value of the last answer
    <!-- code = totp(secret, 1) -->                the code of an authenticator app, one step later
    <!-- code = mail(ada@example.com) -->          the code in the last mail to an address
    <!-- credential = passkey(options) -->         what a device answers: made the first time, used afterwards
    <!-- four_eyes: true -->                       a setting, at the top of a page
    <!-- wait: 30 -->                              so many seconds pass
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.sync import ROOT

DOCS = ROOT / "docs"
ANY = "…"
WIDTH = 88
_STEP = re.compile(
    r"^<!-- (?P<name>\w+)(?P<sign> =|:) (?P<value>[^\n]+) -->$"
    r"|^```graphql title=\"(?P<who>[^\".]+)\"\n(?P<document>.*?)^```\n+^```json\n(?P<answer>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Note:
    """What a comment says: `name = value`, or `name: value`."""

    name: str
    value: str
    is_setting: bool


@dataclass(frozen=True)
class Example:
    """An operation, who sends it, the answer on the page, and where that is."""

    who: str
    document: str
    answer: str
    span: tuple[int, int]


def pages() -> list[Path]:
    """Return the pages that have examples."""
    return [
        page
        for page in sorted(DOCS.rglob("*.md"))
        if any(isinstance(step, Example) for step in steps(page.read_text(encoding="utf-8")))
    ]


def steps(text: str) -> Iterator[Note | Example]:
    """Yield the steps of a page."""
    for found in _STEP.finditer(text):
        if found["name"]:
            yield Note(found["name"], found["value"], is_setting=found["sign"] == ":")
        else:
            yield Example(found["who"], found["document"], found["answer"], found.span("answer"))


def with_answers(text: str, answers: list[Any]) -> str:
    """Return a page with these answers in place of its own."""
    examples = [step for step in steps(text) if isinstance(step, Example)]
    for example, answer in reversed(list(zip(examples, answers, strict=True))):
        start, end = example.span
        text = f"{text[:start]}{written(answer)}\n{text[end:]}"
    return text


def common(one: Any, other: Any) -> Any:
    """Return what two answers have in common, with ANY for strings that differ, and for cursors, which may.

    Raises:
        AssertionError: they differ in more than strings.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        assert one.keys() == other.keys(), (one, other)
        return {name: ANY if value and name.endswith("ursor") else common(value, other[name]) for name, value in one.items()}
    if isinstance(one, list) and isinstance(other, list):
        assert len(one) == len(other), (one, other)
        return [common(*pair) for pair in zip(one, other, strict=True)]
    if isinstance(one, str) and isinstance(other, str) and one != other:
        return ANY
    assert one == other, (one, other)
    return one


def fits(shown: Any, real: Any) -> bool:
    """Return whether an answer is the one that a page shows."""
    if shown == ANY:
        return isinstance(real, str)
    if isinstance(shown, dict) and isinstance(real, dict):
        return list(shown) == list(real) and all(fits(shown[name], real[name]) for name in shown)
    if isinstance(shown, list) and isinstance(real, list):
        return len(shown) == len(real) and all(map(fits, shown, real))
    return type(shown) is type(real) and bool(shown == real)


def written(value: Any, indent: int = 0, before: int = 0) -> str:
    """Return JSON in lines of `WIDTH`, with as much on each line as fits.

    Args:
        value: what to write.
        indent: spaces before each line of what has several.
        before: characters before it on its first line.
    """
    line = json.dumps(value, ensure_ascii=False)
    if before + len(line) <= WIDTH or not isinstance(value, dict | list) or not value:
        return line
    inner, space = indent + 2, " " * (indent + 2)
    if isinstance(value, dict):
        items = [f'{space}"{name}": {written(each, inner, inner + len(name) + 4)}' for name, each in value.items()]
        return "{\n" + ",\n".join(items) + "\n" + " " * indent + "}"
    return "[\n" + ",\n".join(space + written(each, inner, inner) for each in value) + "\n" + " " * indent + "]"
