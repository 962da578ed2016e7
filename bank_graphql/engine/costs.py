"""What a schema declares about costs: the directives @cost and @listSize.

The directives are those of IBM's GraphQL Cost Directives (https://ibm.github.io/graphql-specs/cost-spec.html), so that clients
and their tools find them in the schema's text. Where costs are added up differently here, the directives' descriptions say so.
"""

import strawberry
from strawberry.schema_directive import Location

from bank_graphql.kit.paging import MAX_SIZE

BATCH_DISCOUNT, MAX_DISCOUNTED_COST = 10, 20
"""How many items of a mutation's list cost as much as one, and up to which cost of an item."""


@strawberry.schema_directive(
    name="cost",
    locations=[
        Location.FIELD_DEFINITION,
        Location.ARGUMENT_DEFINITION,
        Location.INPUT_FIELD_DEFINITION,
        Location.OBJECT,
    ],
    description=(
        "What something adds to the cost of a request, as in IBM's GraphQL Cost Directives. Weights are whole numbers. The "
        "weight of an object, 1 if it declares none, counts for each object that the answer can have; scalars and enums are "
        "free. That of an argument counts for each object that the field is requested of, and for each item of a list. That of "
        "a field counts once for each place in the document, as does that of each item of an input field: the server does this "
        "work for all objects at once."
    ),
)
class Cost:
    """The directive @cost. A field declares it if it takes a statement of its own, or other work."""

    weight: str


@strawberry.schema_directive(
    name="listSize",
    locations=[Location.FIELD_DEFINITION],
    description=(
        "How many items of a list count, as in IBM's GraphQL Cost Directives: the greatest of the slicing arguments that are "
        "given, or else the assumed size, or else 1. A slicing argument is a number, or a list, which counts by its length; "
        "`argument.field` is a field of an input object. If there are sized fields, the lists are those fields of the object "
        f"that the field leads to. A query's list counts {MAX_SIZE} items at most. Of a mutation's list one item in "
        f"{BATCH_DISCOUNT} counts, unless what is selected of an item costs more than {MAX_DISCOUNTED_COST}."
    ),
)
class ListSize:
    """The directive @listSize."""

    assumed_size: int | None = strawberry.UNSET
    slicing_arguments: list[str] | None = strawberry.UNSET
    sized_fields: list[str] | None = strawberry.UNSET
    require_one_slicing_argument: bool | None = True


MUTATION_COST = Cost(weight="130")
"""What each mutation declares: it commits a transaction, and what it answers with is read anew."""
