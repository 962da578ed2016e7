"""What can be done.

`identity` signing up, in and out · `accounts` opening, changing, closing · `money` moving it · `cards` issuing and changing them.
"""

import strawberry

from bank_graphql.api.mutations.accounts import AccountMutations
from bank_graphql.api.mutations.cards import CardMutations
from bank_graphql.api.mutations.identity import IdentityMutations
from bank_graphql.api.mutations.money import MoneyMutations


@strawberry.type(description="What can be done. Expected refusals are data: members of each result that implement Rejection.")
class Mutation(IdentityMutations, AccountMutations, MoneyMutations, CardMutations):
    pass
