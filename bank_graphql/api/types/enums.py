"""The enums. Those that will grow say so, so that clients keep a default branch."""

from enum import StrEnum
from typing import TYPE_CHECKING

import strawberry

from bank_graphql.accounts.enums import AccountKind, AccountStatus, FrozenBy, StateConflictCode
from bank_graphql.cards.enums import CardForm, CardKind, CardStatus, LimitWindow
from bank_graphql.events.enums import TransactionEventKind
from bank_graphql.identity.enums import UserRole, UserStatus
from bank_graphql.kit.money import CURRENCY_DIGITS
from bank_graphql.ledger.enums import TransactionKind, TransactionStatus

_GROWS = " More values may be added: keep a default branch."

if TYPE_CHECKING:

    class CurrencyCode(StrEnum):
        """An ISO 4217 currency code."""

else:
    CurrencyCode = strawberry.enum(
        StrEnum("CurrencyCode", {code: code for code in sorted(CURRENCY_DIGITS)}),
        description="An active ISO 4217 currency that has minor units.",
    )


class EntryDirection(StrEnum):
    """Which way an entry goes."""

    CREDIT = "CREDIT"
    DEBIT = "DEBIT"


strawberry.enum(EntryDirection, description="CREDIT adds money to the account, DEBIT takes money off it.")
strawberry.enum(StateConflictCode, description=f"Which rule a state conflict is about.{_GROWS}")
strawberry.enum(
    AccountKind, description="What an account is for. CREDIT accounts may go below zero, down to their overdraft limit."
)
strawberry.enum(
    AccountStatus,
    description="A FROZEN account refuses payments from it, and still receives. CLOSED is final; the balance is zero.",
)
strawberry.enum(CardKind, description="CREDIT cards draw on credit accounts, DEBIT cards on all others.")
strawberry.enum(CardForm, description="VIRTUAL cards pay at once; PHYSICAL ones must be activated first.")
strawberry.enum(CardStatus, description="Only ACTIVE cards pay. CANCELLED and EXPIRED are final.")
strawberry.enum(FrozenBy, description="Who froze an account or a card: its owner, or the bank's staff.")
strawberry.enum(
    LimitWindow,
    description="What a limit applies to: a single transaction, or a day, a week from Monday or a month in the bank's time zone.",
)
strawberry.enum(UserRole, description=f"The role of a user. PROCESSOR is the card network.{_GROWS}")
strawberry.enum(UserStatus, description="Only ACTIVE users can sign in. CLOSED is final.")
strawberry.enum(
    TransactionEventKind,
    description=(
        "What happened to a transaction: a hold was placed (PENDING), captured in part or finally (CAPTURED), released (VOIDED) "
        "or expired (EXPIRED); money moved (POSTED); a posted transaction was reversed (REVERSED); a card authorisation was "
        f"declined (DECLINED).{_GROWS}"
    ),
)
strawberry.enum(TransactionKind, description=f"What kind of transaction it is.{_GROWS}")
strawberry.enum(
    TransactionStatus,
    description="The status of a transaction. Only POSTED ones have moved money, and a hold's money moves in its captures. A "
    "VOIDED or EXPIRED hold may have been captured "
    f"in part before.{_GROWS}",
)

__all__ = [
    "AccountKind",
    "AccountStatus",
    "CardForm",
    "CardKind",
    "CardStatus",
    "CurrencyCode",
    "EntryDirection",
    "FrozenBy",
    "LimitWindow",
    "StateConflictCode",
    "TransactionEventKind",
    "TransactionKind",
    "TransactionStatus",
    "UserRole",
    "UserStatus",
]
