"""Each answer in the documentation is what the bank answers, and each mutation has an example."""

import json
import re
from pathlib import Path

import pytest
from graphql import FieldNode, OperationDefinitionNode, parse

from bank_graphql.api.schema import build_schema
from bank_graphql.settings import Settings
from tests.docs.pages import DOCS, Example, fits, pages, steps
from tests.docs.running import answers_of


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(DOCS)))
async def test_the_answers_of_a_page(page: Path, settings: Settings) -> None:
    text = page.read_text(encoding="utf-8")
    examples = [step for step in steps(text) if isinstance(step, Example)]
    for example, answer in zip(examples, await answers_of(text, settings), strict=True):
        assert fits(json.loads(example.answer), answer), f"{example.document}\nis answered with\n{json.dumps(answer, indent=2)}"


def test_only_the_page_about_errors_shows_errors() -> None:
    for page in pages():
        shown = [step.answer for step in steps(page.read_text(encoding="utf-8")) if isinstance(step, Example)]
        assert page.name == "errors.md" or not any('"errors"' in answer for answer in shown), page


def test_each_block_of_graphql_is_an_example() -> None:
    for page in DOCS.rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        count = sum(isinstance(step, Example) for step in steps(text))
        assert count == len(re.findall(r"^ *```graphql(?! title=\"[^\"]+\.graphql)", text, re.MULTILINE)), page


def test_each_mutation_has_an_example() -> None:
    shown = set()
    for page in pages():
        for step in steps(page.read_text(encoding="utf-8")):
            if isinstance(step, Example):
                for definition in parse(step.document).definitions:
                    if isinstance(definition, OperationDefinitionNode):
                        shown |= {
                            field.name.value for field in definition.selection_set.selections if isinstance(field, FieldNode)
                        }
    mutations = build_schema()._schema.mutation_type
    assert mutations is not None
    assert set(mutations.fields) - shown == set()
