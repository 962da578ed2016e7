"""The mutations.

`identity` signing up, in and out · `credentials` passwords, second factors, passkeys · `users` roles and suspensions ·
`approvals` deciding what others propose · `accounts` opening, changing, closing · `members` people who use them together ·
`money` transfers, holds, refunds · `cards` issuing and changing cards · `clearing` payments to other banks and from them ·
`payees` saving account numbers · `schedules` standing orders · `products` rates and fees · `statements` issuing and exporting ·
`sandbox` moving the clock.
"""

import strawberry

from bank_graphql.api.mutations.accounts import AccountMutations
from bank_graphql.api.mutations.approvals import ApprovalMutations
from bank_graphql.api.mutations.cards import CardMutations
from bank_graphql.api.mutations.clearing import ClearingMutations
from bank_graphql.api.mutations.credentials import CredentialMutations
from bank_graphql.api.mutations.grants import GrantMutations
from bank_graphql.api.mutations.identity import IdentityMutations
from bank_graphql.api.mutations.members import MemberMutations
from bank_graphql.api.mutations.money import MoneyMutations
from bank_graphql.api.mutations.payees import PayeeMutations
from bank_graphql.api.mutations.products import ProductMutations
from bank_graphql.api.mutations.sandbox import SandboxMutations
from bank_graphql.api.mutations.schedules import ScheduleMutations
from bank_graphql.api.mutations.statements import StatementMutations
from bank_graphql.api.mutations.users import UserMutations


@strawberry.type(
    description="All mutations. An expected refusal is no error: each result is a union whose other members implement Rejection."
)
class Mutation(
    IdentityMutations,
    CredentialMutations,
    UserMutations,
    ApprovalMutations,
    AccountMutations,
    MemberMutations,
    GrantMutations,
    MoneyMutations,
    CardMutations,
    ClearingMutations,
    PayeeMutations,
    ScheduleMutations,
    ProductMutations,
    StatementMutations,
    SandboxMutations,
):
    pass
