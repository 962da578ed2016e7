"""Checks Terraform's files against the provider's schema, and against themselves. No cloud is needed, and no provider."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hcl2

META = {"count", "for_each", "provider", "depends_on"}
"""What every resource may have besides what its schema says."""
_REFERENCE = re.compile(
    r"(?<![\w.\"-])(?:(?P<kind>var|local|data)\.(?P<of>\w+)(?:\.(?P<name>\w+))?|(?P<resource>azurerm_\w+)\.(?P<named>\w+))"
    r"(?P<index>\[[^\]]*\])?(?:\.(?P<attribute>\w+))?"
)
_HIDDEN = ("__is_block__", "__comments__", "__inline_comments__")


@dataclass
class Configuration:
    """What a folder of Terraform's files declares.

    Attributes:
        resources: each resource's body, by type and name.
        data: the names of data sources.
        variables: the bodies of variables.
        locals: the expressions of locals.
        outputs: the bodies of outputs.
        others: everything else, for the references in it.
    """

    resources: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    data: set[str] = field(default_factory=set)
    variables: dict[str, dict[str, Any]] = field(default_factory=dict)
    locals: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    others: list[Any] = field(default_factory=list)

    def add(self, document: Mapping[str, Any]) -> None:
        """Add what a file declares."""
        for each in document.get("resource", []):
            for kind, named in _plain(each).items():
                self.resources.update({(_text(kind), _text(name)): body for name, body in named.items()})
        for each in document.get("data", []):
            self.data |= {f"{_text(kind)}.{_text(name)}" for kind, named in _plain(each).items() for name in named}
        for each in document.get("variable", []):
            self.variables.update({_text(name): body for name, body in _plain(each).items()})
        for each in document.get("locals", []):
            self.locals.update(_plain(each))
        for each in document.get("output", []):
            self.outputs.update({_text(name): body for name, body in _plain(each).items()})
        self.others += [each for kind in ("provider", "terraform") for each in document.get(kind, [])]


def read(folder: Path) -> Configuration:
    """Return what the files of a folder declare."""
    configuration = Configuration()
    for path in sorted(folder.glob("*.tf")):
        configuration.add(parse(path.read_text(encoding="utf-8")))
    return configuration


def parse(text: str) -> dict[str, Any]:
    """Return what a file declares, as python-hcl2 reads it."""
    document: dict[str, Any] = hcl2.loads(text)
    return document


def problems(configuration: Configuration, schema: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong: with the resources, with references, and what is declared and not used."""
    for (kind, name), body in configuration.resources.items():
        known = schema["resources"].get(kind)
        if known is None:
            yield f"{kind}.{name}: there is no such resource"
        else:
            yield from _block_problems(f"{kind}.{name}", body, known, is_resource=True)
    yield from _reference_problems(configuration, schema)
    yield from _output_problems(configuration)


def _block_problems(where: str, body: Mapping[str, Any], known: Mapping[str, Any], *, is_resource: bool = False) -> Iterator[str]:
    arguments, blocks = _parts(body, known, META | {"lifecycle"} if is_resource else set())
    for name, value in arguments.items():
        yield from _argument_problems(f"{where}.{name}", value, known["arguments"].get(name))
    for name, given in blocks.items():
        yield from _nested_problems(f"{where}.{name}", given, known["blocks"].get(name))
    for name, each in {**known["arguments"], **known["blocks"]}.items():
        if each["required"] and name not in arguments and name not in blocks:
            yield f"{where}.{name}: it is missing"


def _parts(
    body: Mapping[str, Any], known: Mapping[str, Any], leaving_out: set[str]
) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Return the arguments and the blocks of a block, those that are made dynamically too."""
    arguments: dict[str, Any] = {}
    blocks: dict[str, list[Any]] = {}
    for name, value in _plain(body).items():
        if name == "dynamic":
            for made, block in (pair for each in value for pair in _plain(each).items()):
                blocks.setdefault(_text(made), []).extend(_plain(block)["content"])
        elif name in known["blocks"]:
            blocks.setdefault(name, []).extend(value if isinstance(value, list) else [value])
        elif name not in leaving_out:
            arguments[name] = value
    return arguments, blocks


def _nested_problems(where: str, given: list[Any], known: Mapping[str, Any] | None) -> Iterator[str]:
    if known is None:
        yield f"{where}: there is no such block"
    elif not all(isinstance(each, dict) for each in given):
        yield f"{where}: it is a block, not an argument"
    elif len(given) > 1 and not known["many"]:
        yield f"{where}: there may be one"
    else:
        for each in given:
            yield from _block_problems(where, each, known)


def _argument_problems(where: str, value: Any, known: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield what is wrong with an argument. What an expression gives is not known."""
    if known is None:
        yield f"{where}: there is no such argument"
        return
    if isinstance(value, str) and value.startswith("${"):
        return
    is_right = {
        "string": isinstance(value, str),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "bool": isinstance(value, bool),
        "list": isinstance(value, list),
        "map": isinstance(value, dict),
    }
    if not is_right.get(known["type"], True):
        yield f"{where}: it is a {known['type']}"


def _reference_problems(configuration: Configuration, schema: Mapping[str, Any]) -> Iterator[str]:
    used: set[str] = set()
    # A variable that only its own validation names is not used.
    for text in _strings([configuration.resources, configuration.locals, configuration.outputs, configuration.others]):
        for found in _REFERENCE.finditer(_without_texts(text)):
            kind, of = found["kind"], found["of"]
            if kind in {"var", "local"}:
                used.add(f"{kind}.{of}")
                if of not in (configuration.variables if kind == "var" else configuration.locals):
                    yield f"{kind}.{of}: it is not declared"
            elif kind == "data":
                if f"{of}.{found['name']}" not in configuration.data:
                    yield f"data.{of}.{found['name']}: it is not declared"
            else:
                yield from _attribute_problems(configuration, schema, found)
    declared = {f"var.{name}" for name in configuration.variables} | {f"local.{name}" for name in configuration.locals}
    yield from (f"{name}: it is not used" for name in sorted(declared - used))


def _attribute_problems(configuration: Configuration, schema: Mapping[str, Any], found: re.Match[str]) -> Iterator[str]:
    kind, name = found["resource"], found["named"]
    if (kind, name) not in configuration.resources:
        yield f"{kind}.{name}: it is not declared"
        return
    known = schema["resources"].get(kind)
    attribute = found["attribute"]
    if known and attribute and attribute not in {*known["attributes"], *known["arguments"], *known["blocks"]}:
        yield f"{kind}.{name}.{attribute}: there is no such attribute"


def _output_problems(configuration: Configuration) -> Iterator[str]:
    for name, body in {**configuration.variables, **configuration.outputs}.items():
        if "description" not in body:
            yield f"{name}: it has no description"


def _without_texts(expression: str) -> str:
    """Return an expression without the parts of its strings that are not expressions themselves."""
    kept: list[str] = []
    inside = [False]  # whether each level is a string: a string may have expressions, and those strings
    position = 0
    while position < len(expression):
        letter, pair = expression[position], expression[position : position + 2]
        if inside[-1] and pair == "${":
            inside.append(False)
            position += 1
        elif inside[-1] and letter == "\\":
            position += 1
        elif letter == '"':
            if inside[-1]:
                inside.pop()
            else:
                inside.append(True)
        elif not inside[-1]:
            if letter == "}" and len(inside) > 1:
                inside.pop()
            elif letter == "{":
                inside.append(False)
            kept.append(letter)
        position += 1
        if letter == '"':
            kept.append(" ")
    return "".join(kept)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _strings(key)
            yield from _strings(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _strings(each)


def _plain(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in _HIDDEN}


def _text(quoted: str) -> str:
    return quoted.strip('"')
