"""Payees."""

import strawberry

from bank_graphql.api.scalars import DateTime
from bank_graphql.api.types.node import Node, node_id
from bank_graphql.engine.fields import backed_by
from bank_graphql.payees.queries import PayeeRow


@strawberry.type(description="An account number that a customer pays to, saved under a name.")
class Payee(Node):
    id: strawberry.ID = node_id("Payee")
    name: str = strawberry.field(description="The name that the customer gave it.")
    account_number: str = strawberry.field(description="The account number: an IBAN, without spaces. It cannot be changed.")
    created_at: DateTime = strawberry.field(description="When it was added.")

    is_type_of = backed_by(PayeeRow)
