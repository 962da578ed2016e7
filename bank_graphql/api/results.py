"""What mutations answer: unions of a success and the refusals that can happen."""

from typing import Annotated

import strawberry

from bank_graphql.accounts.queries import TransactionRow
from bank_graphql.api.errors import (
    AccountStatusRejection,
    BatchAbortedRejection,
    CredentialsRejection,
    CurrencyMismatchRejection,
    ForbiddenRejection,
    IdempotencyConflictRejection,
    InsufficientFundsRejection,
    LimitExceededRejection,
    NotFoundRejection,
    StateConflictRejection,
    ValidationRejection,
)
from bank_graphql.api.scalars import DateTime
from bank_graphql.api.types.accounts import Account
from bank_graphql.api.types.cards import Card
from bank_graphql.api.types.money import Money
from bank_graphql.api.types.transactions import Transaction
from bank_graphql.api.types.users import User
from bank_graphql.identity.queries import UserRow
from bank_graphql.kit import money
from bank_graphql.ledger.rules import TransactionState

_GROWS = "More members that implement Rejection may be added."


@strawberry.type(description="What a client needs to act as a user. Keep both tokens secret.")
class AuthSession:
    access_token: str = strawberry.field(description="Send it as `Authorization: Bearer …`. It expires soon.")
    refresh_token: str = strawberry.field(description="Good once, for `refreshSession`.")
    expires_at: DateTime = strawberry.field(description="When the access token expires.")
    user: UserRow = strawberry.field(description="Who is signed in.", graphql_type=User)


@strawberry.type(description="It is done.")
class Done:
    ok: bool = strawberry.field(default=True, description="Always true.")


@strawberry.type(description="The money moved.")
class MoneyMoved:
    transaction: TransactionRow | TransactionState = strawberry.field(
        description="The transaction, as it is now.", graphql_type=Transaction
    )
    replayed: bool = strawberry.field(description="Whether the key was seen before: this is then what happened at that time.")


@strawberry.type(description="What is written on a card. Show it to its holder, and keep it nowhere.")
class CardSecrets:
    number: str = strawberry.field(description="The card number: 16 digits.")
    security_code: str = strawberry.field(description="The security code: three digits.")
    expires_at: DateTime = strawberry.field(description="When to stop showing it: a minute from now.")


@strawberry.type(description="What would happen. Nothing was written.")
class MoneyPreview:
    amount: money.Money = strawberry.field(graphql_type=Money, description="What would move.")
    from_available_after: money.Money | None = strawberry.field(
        graphql_type=Money | None,
        description="What the paying account would have available; null of an account that the viewer may not read.",
    )
    to_booked_after: money.Money | None = strawberry.field(
        graphql_type=Money | None,
        description="The receiving account's booked balance; null of an account that the viewer may not read.",
    )


SignUpResult = Annotated[
    AuthSession | ValidationRejection,
    strawberry.union("SignUpResult", description=f"A session, or what is wrong with the input. {_GROWS}"),
]
LogInResult = Annotated[
    AuthSession | CredentialsRejection,
    strawberry.union("LogInResult", description=f"A session, or a refusal. {_GROWS}"),
]
RefreshSessionResult = Annotated[
    AuthSession | CredentialsRejection,
    strawberry.union("RefreshSessionResult", description=f"The session's new tokens, or a refusal. {_GROWS}"),
]
LogOutResult = Annotated[
    Done | NotFoundRejection,
    strawberry.union("LogOutResult", description=f"The session has ended, or there is none. {_GROWS}"),
]
UserResult = Annotated[
    User | NotFoundRejection | ForbiddenRejection | ValidationRejection | StateConflictRejection | CredentialsRejection,
    strawberry.union("UserResult", description=f"The user as changed, or a refusal. {_GROWS}"),
]
AccountResult = Annotated[
    Account
    | NotFoundRejection
    | ForbiddenRejection
    | ValidationRejection
    | StateConflictRejection
    | CurrencyMismatchRejection
    | AccountStatusRejection
    | IdempotencyConflictRejection,
    strawberry.union("AccountResult", description=f"The account as changed, or a refusal. {_GROWS}"),
]
CardResult = Annotated[
    Card
    | NotFoundRejection
    | ForbiddenRejection
    | ValidationRejection
    | StateConflictRejection
    | CurrencyMismatchRejection
    | AccountStatusRejection
    | IdempotencyConflictRejection,
    strawberry.union("CardResult", description=f"The card as changed, or a refusal. {_GROWS}"),
]
RevealCardResult = Annotated[
    CardSecrets | NotFoundRejection | CredentialsRejection | StateConflictRejection,
    strawberry.union("RevealCardResult", description=f"What is written on the card, or a refusal. {_GROWS}"),
]
MoveMoneyResult = Annotated[
    MoneyMoved
    | MoneyPreview
    | ValidationRejection
    | NotFoundRejection
    | ForbiddenRejection
    | InsufficientFundsRejection
    | CurrencyMismatchRejection
    | AccountStatusRejection
    | LimitExceededRejection
    | StateConflictRejection
    | IdempotencyConflictRejection
    | BatchAbortedRejection,
    strawberry.union("MoveMoneyResult", description=f"The movement, its preview, or a refusal. {_GROWS}"),
]


@strawberry.type(description="What became of each transfer of a batch.")
class TransferBatchOutcome:
    results: list[object] = strawberry.field(
        description="One for each transfer, in the order given.", graphql_type=list[MoveMoneyResult]
    )
    moved: int = strawberry.field(description="How many moved money, now or when their key was used first.")
    rejected: int = strawberry.field(description="How many were refused.")
    previewed: int = strawberry.field(description="How many were only tried, in a dry run.")


TransferBatchResult = Annotated[
    TransferBatchOutcome | ValidationRejection | ForbiddenRejection,
    strawberry.union("TransferBatchResult", description=f"What became of the batch, or why it was not looked at. {_GROWS}"),
]
