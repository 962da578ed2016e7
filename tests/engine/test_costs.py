"""Costs come from what a schema declares."""

from typing import Annotated, Any

import pytest
import strawberry
from graphql import GraphQLSchema, OperationDefinitionNode, get_operation_ast, parse

from bank_graphql.engine import complexity
from bank_graphql.engine.costs import Cost, ListSize, costs_of


@strawberry.type(directives=[Cost(weight="3")])
class Book:
    title: str
    next: "Book"


@strawberry.type
class Shelf:
    label: str
    books: list[Book]
    others: list[Book]


@strawberry.input
class Order:
    titles: list[str] = strawberry.field(directives=[Cost(weight="7")])
    note: str | None = None


# Resolvers, of which only the arguments matter: costs are computed before anything is executed.


def one() -> None:
    """Takes no argument."""


def sliced(first: int | None = None, last: int | None = None) -> None:
    """Takes slicing arguments."""


def found(text: Annotated[str | None, strawberry.argument(directives=[Cost(weight="10")])] = None) -> None:
    """Takes an argument that costs, and may be left out."""


def picked(ids: Annotated[list[int], strawberry.argument(directives=[Cost(weight="2")])]) -> None:
    """Takes a list whose items cost."""


def bought(order: Order) -> None:
    """Takes an input object."""


def field(resolver: Any, graphql_type: Any, *directives: object) -> Any:
    """A field of this type with these directives."""
    return strawberry.field(resolver=resolver, graphql_type=graphql_type, directives=directives)


SLICED = ListSize(assumed_size=4, slicing_arguments=["first", "last"], require_one_slicing_argument=False)


@strawberry.type
class Query:
    book: Book = field(one, Book)
    rare: Book = field(one, Book, Cost(weight="5"))
    shelf: Shelf = field(one, Shelf)
    count: int = field(one, int, Cost(weight="40"))
    any: Book | Shelf = field(one, Annotated[Book | Shelf, strawberry.union("Thing")])
    books: list[Book] = field(sliced, list[Book], SLICED)
    found: Book = field(found, Book)
    picked: Shelf = field(picked, Shelf, ListSize(slicing_arguments=["ids"], sized_fields=["books"]))


@strawberry.type
class Mutation:
    buy: Shelf = field(bought, Shelf, Cost(weight="50"), ListSize(slicing_arguments=["order.titles"], sized_fields=["books"]))


SCHEMA = strawberry.Schema(query=Query, mutation=Mutation)._schema


def cost(text: str, **variables: object) -> int:
    """The cost of a request in addition to what every request costs."""
    document = parse(text)
    operation = get_operation_ast(document)
    assert isinstance(operation, OperationDefinitionNode)
    whole = complexity.document_cost(SCHEMA, document, operation, dict(variables))
    return whole - complexity.REQUEST_COST - complexity.ROOT_FIELD_COST


@pytest.mark.parametrize(
    ("text", "declared"),
    [
        ("{ __typename }", 0),
        ("{ book { title } }", 3),
        ("{ book { next { next { title } } } }", 3 * 3),
        ("{ rare { title } }", 5 + 3),
        ("{ count }", 40),
        ("{ any { __typename } }", 3),
        ("{ shelf { label } }", 1),
        ("{ shelf { books { title } others { title } } }", 1 + 3 + 3),
        ("{ books { title } }", 4 * 3),
        ("{ books(first: 2) { title next { title } } }", 2 * (3 + 3)),
        ("{ books(first: 2, last: 7) { title } }", 7 * 3),
        ("{ books(first: 5000) { title } }", 100 * 3),
        ("query ($n: Int = 6) { books(first: $n) { title } }", 6 * 3),
        ("{ found { title } }", 3),
        ('{ found(text: "x") { title } }', 3 + 10),
        ("{ picked(ids: [1, 2, 3]) { label } }", 1 + 3 * 2),
        ("{ picked(ids: [1, 2, 3]) { books { title } others { title } } }", 1 + 3 * (2 + 3) + 3),
        ("{ picked(ids: 1) { books { title } } }", 1 + 2 + 3),
        ("{ picked(ids: [1, 2]) { ...f ... { ...f } } } fragment f on Shelf { books { title } }", 1 + 2 * (2 + 3 + 3)),
        ('mutation { buy(order: {titles: ["a", "b"]}) { label } }', 50 + 2 * 7 + 1),
        ('mutation { buy(order: {titles: ["a", "b"]}) { books { title } } }', 50 + 2 * 7 + 1 + 3),
        ("{ nothing { at { all } } }", 2),
        ("{ ...f } fragment f on Nothing { book { title } }", 1),
    ],
)
def test_costs_are_those_that_the_schema_declares(text: str, declared: int) -> None:
    assert cost(text) == declared


def test_a_mutations_list_is_discounted_unless_much_is_selected_of_an_item() -> None:
    text = "mutation ($o: Order!) { buy(order: $o) { books { %s } } }"
    titles = {"titles": ["x"] * 25}
    assert cost(text % "title", o=titles) == 50 + 25 * 7 + 1 + 3 * 3
    assert cost(text % "next { next { next { next { next { next { title } } } } } }", o=titles) == 50 + 25 * 7 + 1 + 25 * 7 * 3


def test_a_variables_fields_and_its_default_count_as_literals_do() -> None:
    text = "mutation ($t: [String!]!) { buy(order: {titles: $t}) { label } }"
    whole = 'mutation ($o: Order = {titles: ["a", "b", "c"]}) { buy(order: $o) { label } }'
    assert cost(text, t=["a", "b", "c"]) == cost(whole) == cost(whole, o={"titles": [1, 2, 3], "note": "x"}) == 50 + 3 * 7 + 1
    assert cost(whole, o={"titles": "a"}) == 50 + 7 + 1
    nothings: list[object] = [None, "x", [], {}, {"titles": None}]
    for nothing in nothings:
        assert cost(whole, o=nothing) == 50 + 1


def test_sizes_are_all_that_costs_depend_on() -> None:
    def sizes(value: object) -> object:
        return complexity.sizes_in(SCHEMA, {"o": value}, ("o", "p"))

    assert sizes({"titles": ["a", "b"]}) == sizes({"note": "x", "titles": ["c", "d"]}) != sizes({"titles": ["a"]})
    different: list[object] = [1, 2, None, "x", [1], [1, 2], {}]
    assert len({sizes(each) for each in different}) == len(different)
    assert complexity.sizes_in(SCHEMA, {"p": None}, ("o", "p")) != complexity.sizes_in(SCHEMA, {"o": None}, ("o", "p"))


def test_a_schemas_costs_are_worked_out_once() -> None:
    assert costs_of(SCHEMA) is costs_of(SCHEMA)


@strawberry.input
class Parcel:
    orders: list[Order]


def schema(graphql_type: Any, directive: object, argument: Any = int) -> GraphQLSchema:
    """A schema whose only field has this type and directive, and an argument `a`."""

    def only(a: Any) -> None:
        """Takes the argument `a`."""

    only.__annotations__["a"] = argument
    declared = field(only, graphql_type, directive)
    return strawberry.Schema(query=strawberry.type(type("Query", (), {"only": declared})))._schema


@pytest.mark.parametrize(
    ("graphql_type", "directive", "argument"),
    [
        (list[Book], ListSize(slicing_arguments=["first"]), int),
        (list[Book], ListSize(slicing_arguments=["a.first"]), int),
        (list[Book], ListSize(slicing_arguments=["a.first"]), Order),
        (Shelf, ListSize(slicing_arguments=["a"], sized_fields=["magazines"]), int),
        (Shelf, ListSize(slicing_arguments=["a"]), int),
        (Book, Cost(weight="much"), int),
        (Book, Cost(weight="1"), Parcel),
        (Book, Cost(weight="1"), list[Order]),
    ],
)
def test_a_declaration_that_cannot_be_followed_is_an_error(graphql_type: Any, directive: object, argument: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the messages are for whoever declares, and differ
        costs_of(schema(graphql_type, directive, argument))
