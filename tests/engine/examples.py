"""The GraphQL documents that the quick start and the playground show."""

import re
from collections.abc import Iterator
from pathlib import Path

from graphql import GraphQLSyntaxError, OperationDefinitionNode, OperationType, parse

from tests.sync import ROOT

PLAYGROUND = ROOT / "bank_graphql" / "playground" / "src"
_BEGINNING = re.compile(r"(?:\b(?:query|mutation|subscription)\b[^{}'\"`]*|(?<=['\"]))\{")
_CONSTANT = re.compile(r"^const (\w+) = \"(.*)\";$", re.MULTILINE)


def documents_in(path: Path) -> list[str]:
    """The documents in a file: whatever begins like an operation, up to the brace that closes it."""
    text = path.read_text(encoding="utf-8")
    for name, value in _CONSTANT.findall(text):
        text = text.replace(f"${{{name}}}", value)
    return list(_documents(text))


def _documents(text: str) -> Iterator[str]:
    at = 0
    while (found := _BEGINNING.search(text, at)) is not None:
        at = found.end()
        document = text[found.start() : _end(text, found.end())]
        document = re.sub(r"'(\$\w+)'", r"\1", document)  # a shell's variable between two quoted parts
        try:
            [definition] = parse(document).definitions
        except GraphQLSyntaxError:
            continue
        if isinstance(definition, OperationDefinitionNode):
            at = found.start() + len(document)
            yield document


def _end(text: str, at: int) -> int:
    depth = 1
    while depth and at < len(text):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
    return at


def is_subscription(document: str) -> bool:
    """Whether a document is a subscription."""
    [definition] = parse(document).definitions
    return isinstance(definition, OperationDefinitionNode) and definition.operation is OperationType.SUBSCRIPTION
