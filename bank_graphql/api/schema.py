"""Build the schema, and export it as text and as an introspection result."""

import orjson
import strawberry
from graphql import GraphQLInputObjectType, GraphQLInterfaceType, GraphQLObjectType, Undefined, introspection_from_schema
from strawberry.printer import print_schema
from strawberry.schema.config import StrawberryConfig

from bank_graphql.api.errors import HANDLERS, Rejection
from bank_graphql.api.mutations import Mutation
from bank_graphql.api.queries import Query
from bank_graphql.api.scalars import SCALARS
from bank_graphql.api.subscriptions import Subscription
from bank_graphql.api.types.transactions import Entry
from bank_graphql.engine.conversion import compile_inputs


def build_schema() -> strawberry.Schema:
    """Return the bank's schema, ready for the executor."""
    schema = strawberry.Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[Entry, Rejection],
        config=StrawberryConfig(scalar_map=SCALARS),
        exception_handlers=HANDLERS,
    )
    _drop_null_defaults(schema)
    compile_inputs(schema)
    return schema


def export(schema: strawberry.Schema) -> str:
    """Return the schema in GraphQL's schema definition language, as committed in `schema.graphql`."""
    return print_schema(schema) + "\n"


def introspection(schema: strawberry.Schema) -> str:
    """Return the answer to a full introspection query (with `isOneOf` and `specifiedByURL`), as JSON."""
    answer = introspection_from_schema(schema._schema)  # noqa: SLF001 - Strawberry's way to the core schema
    return orjson.dumps({"data": answer}, option=orjson.OPT_INDENT_2).decode() + "\n"


def _drop_null_defaults(schema: strawberry.Schema) -> None:
    """Remove the default null of optional arguments, which they have in Python: `first: Int`, not `first: Int = null`."""
    for kind in schema._schema.type_map.values():  # noqa: SLF001 - Strawberry's way to the core schema
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            inputs = [argument for field in kind.fields.values() for argument in field.args.values()]
        elif isinstance(kind, GraphQLInputObjectType):
            inputs = list(kind.fields.values())
        else:
            continue
        for each in inputs:
            if each.default_value is None:
                each.default_value = Undefined
