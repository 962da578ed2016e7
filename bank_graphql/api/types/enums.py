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


strawberry.enum(EntryDirection, description="CREDIT puts money on the account, DEBIT takes money off it.")
strawberry.enum(StateConflictCode, description=f"Why something's state does not allow a change.{_GROWS}")
strawberry.enum(AccountKind, description="What an account is for. CREDIT accounts may go below zero, to their limit.")
strawberry.enum(AccountStatus, description="FROZEN refuses payments and goes on receiving. CLOSED is final; the balance is zero.")
strawberry.enum(CardKind, description="DEBIT cards belong to checking and savings accounts, CREDIT cards to credit accounts.")
strawberry.enum(CardForm, description="VIRTUAL cards pay at once, PHYSICAL ones once their holder has activated them.")
strawberry.enum(CardStatus, description="Only ACTIVE cards pay. CANCELLED and EXPIRED are final.")
strawberry.enum(FrozenBy, description="Who froze something: its owner, or the bank's staff.")
strawberry.enum(LimitWindow, description="A single transaction, or a day, a week from Monday, a month of the bank's calendar.")
strawberry.enum(UserRole, description=f"What a user is to the bank. PROCESSOR is the card network.{_GROWS}")
strawberry.enum(UserStatus, description="Only ACTIVE users sign in. CLOSED is final.")
strawberry.enum(
    TransactionEventKind,
    description=(
        "What happened to a transaction: money is held (PENDING) or has moved (POSTED); a hold was taken, in part or to its end "
        "(CAPTURED), given back (VOIDED) or ran out (EXPIRED); money that had moved went back (REVERSED); an authorisation was "
        f"refused (DECLINED).{_GROWS}"
    ),
)
strawberry.enum(TransactionKind, description=f"What a transaction is for.{_GROWS}")
strawberry.enum(
    TransactionStatus,
    description="Where a transaction stands. Only POSTED ones have moved money; captures of a hold that is VOIDED "
    f"or EXPIRED may have before.{_GROWS}",
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
