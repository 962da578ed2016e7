"""The inputs that say what a program may do."""

import strawberry

from bank_graphql.accounts.grants import Terms
from bank_graphql.api.inputs.common import MoneyInput, account_id
from bank_graphql.api.scalars import DateTime
from bank_graphql.api.types.enums import AccessScope


@strawberry.input(description="What an agent, or another program, may do for the viewer.")
class CreateAccessGrantInput:
    name: str = strawberry.field(description="A name to recognise it by, at most 100 characters.")
    scopes: list[AccessScope] = strawberry.field(description="What it may do.")
    account_ids: list[strawberry.ID] = strawberry.field(
        default_factory=list, description="The accounts that it may use, at most 20, each owned by the viewer."
    )
    payees: list[str] | None = strawberry.field(
        default=None, description="The numbers of the accounts that it may pay without approval, at most 100. Left out: any."
    )
    daily_limit: MoneyInput | None = strawberry.field(
        default=None, description="How much it may pay a day without approval. Needed with PAYMENTS_WRITE."
    )
    approval_above: MoneyInput | None = strawberry.field(
        default=None, description="The largest amount that it may pay at once without approval. Left out: any."
    )
    expires_at: DateTime = strawberry.field(description="When it ends: within 366 days.")

    @property
    def terms(self) -> Terms:
        """What the program may do.

        Raises:
            NotFound: an id is none of an account.
            ValidationFailed: a limit is not an amount.
        """
        return Terms(
            self.name,
            frozenset(self.scopes),
            tuple(dict.fromkeys(account_id(each) for each in self.account_ids)),
            None if self.payees is None else tuple(self.payees),
            None if self.daily_limit is None else self.daily_limit.any("dailyLimit"),
            None if self.approval_above is None else self.approval_above.any("approvalAbove"),
            self.expires_at,
        )


@strawberry.input(description="What a service may do with its key.")
class CreateApiKeyInput:
    name: str = strawberry.field(description="A name to recognise it by, at most 100 characters.")
    scopes: list[AccessScope] = strawberry.field(
        description="What it may do. What a scope of services passes on, the viewer's role has."
    )
    account_ids: list[strawberry.ID] = strawberry.field(
        default_factory=list, description="The accounts that it may read, at most 20, each owned by the viewer."
    )
    expires_at: DateTime = strawberry.field(description="When it ends: within 366 days.")

    @property
    def terms(self) -> Terms:
        """What the service may do. Raises NotFound: an id is none of an account."""
        accounts = tuple(dict.fromkeys(account_id(each) for each in self.account_ids))
        return Terms(self.name, frozenset(self.scopes), accounts, None, None, None, self.expires_at)
