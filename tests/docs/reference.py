"""Makes the reference of the documentation from `schema.graphql`, and from the table of who may use what."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from graphql import (
    ConstDirectiveNode,
    DocumentNode,
    EnumTypeDefinitionNode,
    FieldDefinitionNode,
    FieldNode,
    InputObjectTypeDefinitionNode,
    InputValueDefinitionNode,
    InterfaceTypeDefinitionNode,
    ListTypeNode,
    NamedTypeNode,
    NonNullTypeNode,
    ObjectTypeDefinitionNode,
    OperationDefinitionNode,
    ScalarTypeDefinitionNode,
    StringValueNode,
    TypeNode,
    UnionTypeDefinitionNode,
    parse,
    print_ast,
)

from tests.api.test_matrix import COLUMNS, TABLE
from tests.docs.pages import DOCS, Example, pages, steps

Definition: TypeAlias = (
    ObjectTypeDefinitionNode
    | InterfaceTypeDefinitionNode
    | InputObjectTypeDefinitionNode
    | EnumTypeDefinitionNode
    | UnionTypeDefinitionNode
    | ScalarTypeDefinitionNode
)
FOLDER = DOCS / "reference" / "schema"
OPERATIONS = {"Query": "queries", "Mutation": "mutations", "Subscription": "subscriptions"}
TITLES = {
    "queries": "Queries",
    "mutations": "Mutations",
    "subscriptions": "Subscriptions",
    "objects": "Objects",
    "results": "Results and rejections",
    "inputs": "Inputs",
    "enums": "Enums and scalars",
}
ALLOWED = {"y": "yes", "y!": "yes", "n": "no", "!": "no", "-": "hidden"}


def written() -> dict[Path, str]:
    """Return the pages of the reference, each with its text."""
    return {
        **_schema((DOCS.parent / "schema.graphql").read_text(encoding="utf-8")),
        DOCS / "reference" / "permissions.md": _permissions(),
    }


def _schema(text: str) -> dict[Path, str]:
    definitions = {each.name.value: each for each in parse(text).definitions if isinstance(each, Definition)}
    page_of = {name: _page_of(each) for name, each in definitions.items()}
    made: dict[str, list[str]] = defaultdict(list)
    linker = _Linker(page_of)
    examples = _examples()
    for name, each in sorted(definitions.items()):
        if name in OPERATIONS and isinstance(each, ObjectTypeDefinitionNode):
            made[OPERATIONS[name]] += [_operation(field, linker, examples) for field in each.fields or ()]
        else:
            made[page_of[name]].append(_type(each, linker))
    return {
        FOLDER / f"{page}.md": f"# {title}\n\n" + "\n\n".join(made[page]) + "\n" for page, title in TITLES.items() if made[page]
    }


def _page_of(each: Definition) -> str:
    if isinstance(each, InputObjectTypeDefinitionNode):
        return "inputs"
    if isinstance(each, EnumTypeDefinitionNode | ScalarTypeDefinitionNode):
        return "enums"
    is_rejection = each.name.value == "Rejection" or each.name.value.endswith("Rejection")
    return "results" if isinstance(each, UnionTypeDefinitionNode) or is_rejection else "objects"


def _examples() -> dict[str, str]:
    """Return for each field of an operation the page that has an example of it, seen from the reference."""
    found: dict[str, str] = {}
    for page in pages():
        for step in steps(page.read_text(encoding="utf-8")):
            if isinstance(step, Example):
                for name in _root_fields(parse(step.document)):
                    found.setdefault(name, f"[{_title(page)}](../../{page.relative_to(DOCS)})")
    return found


def _root_fields(document: DocumentNode) -> Iterator[str]:
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            yield from (field.name.value for field in definition.selection_set.selections if isinstance(field, FieldNode))


def _title(page: Path) -> str:
    return page.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


class _Linker:
    """Writes types as links to where they are described."""

    def __init__(self, page_of: dict[str, str]) -> None:
        self._page_of = page_of

    def link(self, node: TypeNode) -> str:
        """Return a type in Markdown."""
        if isinstance(node, NonNullTypeNode):
            return f"{self.link(node.type)}!"
        if isinstance(node, ListTypeNode):
            return f"[{self.link(node.type)}]"
        assert isinstance(node, NamedTypeNode)
        return self.named(node.name.value)

    def named(self, name: str) -> str:
        """Return the name of a type in Markdown."""
        return f"[{name}]({self._page_of[name]}.md#{name.lower()})" if name in self._page_of else name


def _operation(field: FieldDefinitionNode, linker: _Linker, examples: dict[str, str]) -> str:
    parts = [f"## {field.name.value}", _text(field.description)]
    if field.arguments:
        parts.append(_table("argument", field.arguments, linker))
    notes = [f"Returns {linker.link(field.type)}."]
    if cost := _cost(field.directives):
        notes.append(f"Costs {cost}.")
    if field.name.value in examples:
        notes.append(f"Example: {examples[field.name.value]}.")
    return "\n\n".join([*filter(None, parts), " ".join(notes)])


def _cost(directives: Iterable[ConstDirectiveNode] | None) -> str:
    """Return the weight of `@cost`, or nothing."""
    for directive in directives or ():
        if directive.name.value == "cost":
            [weight] = [argument.value for argument in directive.arguments or ()]
            assert isinstance(weight, StringValueNode)
            return weight.value
    return ""


def _type(each: Definition, linker: _Linker) -> str:
    parts = [f"## {each.name.value}", _text(each.description)]
    if isinstance(each, UnionTypeDefinitionNode):
        parts.append("One of " + ", ".join(linker.link(member) for member in each.types or ()) + ".")
    elif isinstance(each, EnumTypeDefinitionNode):
        parts.append("\n".join(f"- `{value.name.value}`{_after(_text(value.description))}" for value in each.values or ()))
    elif not isinstance(each, ScalarTypeDefinitionNode):
        parts.append(_table("field", each.fields or (), linker))
    return "\n\n".join(filter(None, parts))


def _after(text: str) -> str:
    return f": {text}" if text else ""


def _table(what: str, fields: Iterable[FieldDefinitionNode | InputValueDefinitionNode], linker: _Linker) -> str:
    rows = [f"| {what} | type | meaning |", "|---|---|---|"]
    for field in fields:
        text = _text(field.description)
        if isinstance(field, FieldDefinitionNode) and field.arguments:
            text += " Arguments: " + ", ".join(f"`{print_ast(_bare(each))}`" for each in field.arguments) + "."
        if isinstance(field, InputValueDefinitionNode) and field.default_value is not None:
            text += f" By default `{print_ast(field.default_value)}`."
        rows.append(f"| `{field.name.value}` | {linker.link(field.type)} | {text.strip()} |")
    return "\n".join(rows)


def _bare(argument: InputValueDefinitionNode) -> InputValueDefinitionNode:
    """Return an argument without its description and directives."""
    return InputValueDefinitionNode(name=argument.name, type=argument.type, default_value=argument.default_value, directives=())


def _text(description: StringValueNode | None) -> str:
    """Return a description as one line of a table."""
    return " ".join(description.value.split()).replace("|", "\\|") if description else ""


def _permissions() -> str:
    lines = [
        "# Who may use what",
        "",
        "Every query, mutation and subscription with every role, as the tests try it out in a sandbox. The column *own* is a customer with",
        "things of their own; the others are users of each role, with the things of that customer. *No* is a refusal: the error `FORBIDDEN`",
        "of a query, the `ForbiddenRejection` of a mutation. *Hidden* means that it is as if the thing did not exist.",
        "",
        "Anybody may sign up, sign in, renew a session and reset a password. Outside a sandbox, customers may not `deposit`, `withdraw`, play",
        "the card network or the clearing, or use `advanceClock`: what the column *own* says of these is then *no*.",
        "",
        f"| field | about | {' | '.join(COLUMNS)} |",
        "|---" * (len(COLUMNS) + 2) + "|",
    ]
    for field, subject, *cells in (line.split() for line in TABLE.splitlines()[2:] if line.strip()):
        lines.append(f"| `{field}` | {_about(subject)} | {' | '.join(ALLOWED[cell] for cell in cells)} |")
    return "\n".join(lines) + "\n"


def _about(subject: str) -> str:
    return "" if subject == "nothing" else re.sub(r"([A-Z])", lambda letter: f" {letter[1].lower()}", subject)


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for page, text in written().items():
        page.write_text(text, encoding="utf-8")
