"""Makes documents that are valid for a schema, at random: aliases, fragments, directives, variables, nulls, and values that fail."""

import random
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)

UNSTEADY = {
    "addPayee",
    "verifyPayee",
    "advanceClock",
    "clock",
    "feedCursor",
    "exportEntries",
    "exportMyData",
    "rateLimit",
    "sessions",
    "logIn",
    "signUp",
    "refreshSession",
    "logOut",
    "auditEvents",
    "changePassword",
    "enrolTotp",
    "confirmTotp",
    "disableTotp",
    "completeLogIn",
    "closeUser",
    "setUserRole",
    "decide",
    "suspendUser",
    "reinstateUser",
    "eraseUser",
    "stepUp",
    "requestEmailVerification",
    "requestPasskey",
    "addPasskey",
    "removePasskey",
    "requestPasskeyLogIn",
    "logInWithPasskey",
    "passkeys",
    "verifyEmail",
    "requestPasswordReset",
    "resetPassword",
    "removeSecondFactor",
    "updateProfile",
    "openAccount",
    "issueCard",
    "replaceCard",
    "createProduct",
    "setProductTerms",
    "setAccountProduct",
}
"""Fields whose values differ from one request to the next, or that would end what others depend on."""


CHOICES = {
    "Date": ("2020-01-01", "2020-02-01", "2020-02-29", "2999-12-31", "2020"),
    "Decimal": ("0", "1.00", "12.345", "5", "1000000", "-3", "?"),
}
"""The values of scalars that nothing in the bank decides on."""


@dataclass
class Pool:
    """What arguments are taken from: mostly what exists, in part what does not."""

    ids: list[str]
    missing: list[str]
    numbers: list[str]
    cursors: list[str]
    moments: list[str]


@dataclass
class Made:
    """A document, with its variables."""

    text: str = ""
    variables: dict[str, Any] = field(default_factory=dict)


class Documents:
    """Makes documents. The same seed makes the same ones."""

    def __init__(self, schema: GraphQLSchema, pool: Pool, seed: int) -> None:
        self._schema = schema
        self._pool = pool
        self._chance = random.Random(seed)
        self._made = Made()
        self._declared: list[str] = []
        self._fragments: list[str] = []
        self._names = 0
        self._ids = pool.ids

    def query(self) -> Made:
        """A query."""
        return self._operation("query", self._schema.query_type)

    def mutation(self) -> Made:
        """A mutation that changes nothing: it is only tried, or there is nothing that it could change."""
        return self._operation("mutation", self._schema.mutation_type, depth=3)

    def _operation(self, word: str, kind: GraphQLObjectType | None, depth: int = 6) -> Made:
        assert kind is not None
        self._made, self._declared, self._fragments = Made(), [], []
        selection = self._selection(kind, self._chance.randint(depth // 2, depth))
        declared = f"({', '.join(self._declared)})" if self._declared else ""
        self._made.text = "\n".join([f"{word} Made{declared} {selection}", *self._fragments])
        return self._made

    def _selection(self, kind: GraphQLNamedType, depth: int, *, aliased: bool = False) -> str:
        if is_abstract_type(kind):
            possible = self._schema.get_possible_types(kind)
            chosen = self._chance.sample(possible, min(len(possible), self._chance.randint(1, 3)))
            # What may be merged must not differ, and members of one union have fields of one name with different types.
            parts = [self._fragment(each, depth, prefix=f"u{n}", aliased=True) for n, each in enumerate(chosen)]
            return f"{{ __typename {' '.join(parts)} }}"
        assert isinstance(kind, GraphQLObjectType)
        fields = [each for name, each in kind.fields.items() if name not in UNSTEADY]
        names = [name for name in kind.fields if name not in UNSTEADY]
        leaves = [n for n, each in zip(names, fields, strict=True) if is_leaf_type(get_named_type(each.type))]
        usable = names if depth > 0 else leaves
        chosen_names = self._chance.sample(usable, min(len(usable), self._chance.randint(1, 4))) if usable else []
        parts = [self._field(kind, name, depth, aliased=aliased) for name in chosen_names]
        if self._chance.random() < 0.2:
            parts.append("__typename")
        if self._chance.random() < 0.15:
            parts.append(self._fragment(kind, depth - 1, prefix=self._name("f"), aliased=aliased))
        return f"{{ {' '.join(parts) or '__typename'} }}"

    def _fragment(self, kind: GraphQLObjectType, depth: int, *, prefix: str, aliased: bool) -> str:
        inner = self._selection(kind, depth - 1, aliased=aliased)
        inner = f"{{ {prefix}: __typename {inner[1:-1]} }}"
        if self._chance.random() < 0.3:
            name = self._name("Part")
            self._fragments.append(f"fragment {name} on {kind.name} {inner}")
            return f"...{name}{self._directive()}"
        return f"... on {kind.name}{self._directive()} {inner}"

    def _field(self, kind: GraphQLObjectType, name: str, depth: int, *, aliased: bool) -> str:
        of = kind.fields[name]
        # What is selected under one name must be the same.
        alias = f"{self._name('a')}: " if aliased or of.args or self._chance.random() < 0.1 else ""
        arguments = []
        if kind is self._schema.mutation_type:
            inputs = [get_named_type(argument.type) for argument in of.args.values()]
            may_be_tried = any("dryRun" in each.fields for each in inputs if isinstance(each, GraphQLInputObjectType))
            self._ids = self._pool.ids if may_be_tried else self._pool.missing
        for argument_name, argument in of.args.items():
            required = is_non_null_type(argument.type) and argument.default_value is Undefined
            if required or self._chance.random() < 0.4:
                arguments.append(f"{argument_name}: {self._argument(argument.type, argument_name)}")
        given = f"({', '.join(arguments)})" if arguments else ""
        below = get_named_type(of.type)
        inner = "" if is_leaf_type(below) else f" {self._selection(below, depth - 1)}"
        return f"{alias}{name}{given}{self._directive()}{inner}"

    def _directive(self) -> str:
        if self._chance.random() > 0.12:
            return ""
        word, value = self._chance.choice(("include", "skip")), self._chance.random() < 0.5
        if self._chance.random() < 0.5:
            return f" @{word}(if: {'true' if value else 'false'})"
        name = self._name("v")
        self._declared.append(f"${name}: Boolean!")
        self._made.variables[name] = value
        return f" @{word}(if: ${name})"

    def _argument(self, kind: Any, name: str) -> str:
        value = self._value(kind, name)
        if self._chance.random() < 0.5:
            return _literal(value, kind)
        variable = self._name("v")
        if not is_non_null_type(kind) and self._chance.random() < 0.15:
            self._declared.append(f"${variable}: {kind}")  # declared, and not given
            return f"${variable}"
        self._declared.append(f"${variable}: {kind}")
        self._made.variables[variable] = value
        return f"${variable}"

    def _value(self, kind: Any, name: str) -> Any:
        chance = self._chance
        if not is_non_null_type(kind) and chance.random() < 0.1:
            return None
        inner = get_nullable_type(kind)
        if is_list_type(inner):
            return [self._value(inner.of_type, name) for _ in range(chance.randint(0, 3))]
        if isinstance(inner, GraphQLEnumType):
            return chance.choice(list(inner.values))
        if isinstance(inner, GraphQLInputObjectType):
            return self._input(inner)
        return self._scalar(inner.name, name)

    def _input(self, kind: GraphQLInputObjectType) -> dict[str, Any]:
        fields = kind.fields
        if kind.extensions["strawberry-definition"].is_one_of:
            name = self._chance.choice(list(fields))
            return {name: self._value(GraphQLNonNull(get_nullable_type(fields[name].type)), name)}
        given = {}
        for name, each in fields.items():
            if name in {"dryRun", "atomic"}:
                given[name] = True
            elif (is_non_null_type(each.type) and each.default_value is Undefined) or self._chance.random() < 0.5:
                given[name] = self._value(each.type, name)
        return given

    def _scalar(self, kind: str, name: str) -> Any:
        chance = self._chance
        if kind == "ID":
            return chance.choice(self._ids)
        if kind == "Int":
            return chance.choice((0, 1, 2, 3, 5, 20)) if chance.random() < 0.9 else chance.choice((101, -1))
        if kind == "Boolean":
            return chance.random() < 0.5
        if kind == "DateTime":
            return chance.choice(self._pool.moments)
        if kind in CHOICES:
            return chance.choice(CHOICES[kind])
        if name in {"after", "before"}:
            return chance.choice(self._pool.cursors)
        if name in {"number", "accountNumber"}:
            return chance.choice(self._pool.numbers)
        return chance.choice(("", "rent", "R", "a longer text", "\u0000", "x" * 300))

    def _name(self, kind: str) -> str:
        self._names += 1
        return f"{kind}{self._names}"


def _literal(value: Any, kind: Any) -> str:
    inner = get_nullable_type(kind)
    if value is None:
        return "null"
    if is_list_type(inner):
        return f"[{', '.join(_literal(each, inner.of_type) for each in value)}]"
    if isinstance(inner, GraphQLInputObjectType):
        return f"{{{', '.join(f'{name}: {_literal(each, inner.fields[name].type)}' for name, each in value.items())}}}"
    if isinstance(inner, GraphQLEnumType):
        return str(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return '"' + "".join(each if each.isprintable() and each not in '"\\' else f"\\u{ord(each):04x}" for each in value) + '"'
