"""The enums. Those that will grow say so, so that clients keep a default branch."""

from enum import StrEnum
from typing import TYPE_CHECKING

import strawberry
from strawberry.types.enum import has_enum_definition

from bank_graphql.accounts.enums import AccountKind, AccountStatus, FrozenBy, MemberRole, MembershipStatus
from bank_graphql.approvals.enums import ApprovalStatus
from bank_graphql.cards.enums import CardForm, CardKind, CardStatus, LimitWindow
from bank_graphql.events.enums import TransactionEventKind
from bank_graphql.identity.enums import GrantKind, StepUpFactor, UserRole, UserStatus
from bank_graphql.identity.scopes import Scope
from bank_graphql.kit.conflicts import StateConflictCode
from bank_graphql.kit.money import CURRENCY_DIGITS
from bank_graphql.ledger.enums import TransactionKind, TransactionStatus
from bank_graphql.payees.enums import PayeeMatch
from bank_graphql.payments.enums import Sweep
from bank_graphql.products.enums import DayCount, InterestSide
from bank_graphql.schedules.enums import DayRule, MissedRuns, ScheduledRunStatus, ScheduleStatus
from bank_graphql.statements.enums import ExportFormat

_GROWS = " More values may be added: keep a default branch."


def _described(enum: type[StrEnum], description: str, values: dict[str, str], name: str | None = None) -> None:
    """Declare an enum in the schema, with a description of each of its values, and another name if one is given.

    Raises:
        KeyError: a value has no description.
    """
    declared = strawberry.enum(enum, name=name, description=description)
    assert has_enum_definition(declared)  # noqa: S101 - `strawberry.enum` has just defined it
    for value in declared.__strawberry_definition__.values:
        value.description = values[value.name]


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


class ApprovalKind(StrEnum):
    """What waits for approval: what staff propose, and payments of programs."""

    SET_USER_ROLE = "SET_USER_ROLE"
    SET_OVERDRAFT_LIMIT = "SET_OVERDRAFT_LIMIT"
    REVERSE_TRANSACTION = "REVERSE_TRANSACTION"
    TRANSFER = "TRANSFER"


strawberry.enum(EntryDirection, description="CREDIT adds money to the account, DEBIT takes money off it.")
AccessScope = Scope
_described(
    Scope,
    f"What a program may do.{_GROWS}",
    {
        "ACCOUNTS_READ": "Read the accounts that the grant names, and their balances.",
        "TRANSACTIONS_READ": "Read their entries, transactions and statements, and follow the feed. It needs ACCOUNTS_READ.",
        "PAYMENTS_WRITE": "Pay from them by `transfer`. Rejections and dry runs say how much is available.",
        "CARDS_READ": "Read their cards and limits, but no numbers. It needs ACCOUNTS_READ.",
        "PROFILE": "Read the profile of the user who gave the grant.",
        "CARDS_PROCESS": "Be the card network. For those whose role is PROCESSOR.",
        "CLEARING_PROCESS": "Be the clearing. For those whose role is PROCESSOR.",
    },
    name="AccessScope",
)
_described(
    GrantKind,
    f"What a program is.{_GROWS}",
    {
        "AGENT": "Acts for a customer: an agent, or a script.",
        "API_KEY": "A service, with a key of its own.",
        "CONSENT": "An application of somebody else, to which the user consented.",
    },
)
_described(
    MemberRole,
    f"What a member is to an account.{_GROWS}",
    {
        "OWNER": "Owns the account jointly: may do everything that whoever opened it may, but close it.",
        "MEMBER": "May do what the owners allow.",
    },
)
_described(
    MembershipStatus,
    f"The state of a membership.{_GROWS}",
    {
        "INVITED": "Invited, and not accepted yet.",
        "ACTIVE": "Accepted.",
        "ENDED": "Ended. It is not listed any more.",
    },
)
_described(
    ApprovalKind,
    f"What members of staff propose, or programs are to pay.{_GROWS}",
    {
        "SET_USER_ROLE": "Another role for a user.",
        "SET_OVERDRAFT_LIMIT": "An overdraft limit of an account.",
        "REVERSE_TRANSACTION": "The reversal of a transaction.",
        "TRANSFER": "A payment that a program may not make by itself.",
    },
)
_described(
    ApprovalStatus,
    f"What became of a proposal.{_GROWS}",
    {
        "PENDING": "It waits for a decision.",
        "APPROVED": "It was approved, and is being executed.",
        "EXECUTED": "It was approved and executed.",
        "FAILED": "It was approved, and could not be executed.",
        "REJECTED": "It was rejected.",
        "EXPIRED": "Nobody decided it in time.",
    },
)
_described(
    StateConflictCode,
    f"Which rule a state conflict is about.{_GROWS}",
    {
        "ALREADY_CAPTURED": "The hold was captured already.",
        "ALREADY_RELEASED": "The hold was released already.",
        "ALREADY_REVERSED": "The transaction was reversed already.",
        "EXPIRED": "The hold has expired.",
        "OVER_CAPTURE": "The amount is more than remains of the hold.",
        "OVER_REFUND": "The amount is more than remains of the card payment.",
        "ALREADY_SETTLED": "The payment to another bank was settled already.",
        "ALREADY_RETURNED": "The payment to another bank came back already.",
        "ALREADY_RECEIVED": "Another payment from another bank has this reference.",
        "NOT_EXTERNAL": "The transaction is no payment to another bank.",
        "NOT_A_HOLD": "The transaction is not a hold.",
        "NOT_REVERSIBLE": "A transaction of this kind or status cannot be reversed or refunded.",
        "CARD_NOT_ACTIVE": "The card is not active.",
        "CARD_EXPIRED": "The card has expired.",
        "MERCHANT_BLOCKED": "The card does not pay merchants of this category.",
        "LAST_ADMIN": "The bank would be left without an active administrator.",
        "MFA_STATE": "The second factor is DISABLED, ENROLLED (its first code is awaited) or ENABLED: see `state`.",
        "NO_MAIL": "The bank sends no mails.",
        "APPROVAL_PENDING": "Another proposal about the same waits for a decision.",
        "MONEY_REMAINS": "The balance of the account is not zero, or money is reserved on it.",
        "WRONG_STATUS": "The status does not allow this.",
    },
)
_described(
    AccountKind,
    "What an account is for.",
    {
        "CHECKING": "Everyday payments.",
        "SAVINGS": "Money put by.",
        "CREDIT": "Borrowed money. The balance may go below zero, down to the overdraft limit.",
    },
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
strawberry.enum(UserRole, description=f"The role of a user. PROCESSOR is the card network and the clearing.{_GROWS}")
strawberry.enum(UserStatus, description="Only ACTIVE users can sign in. CLOSED is final.")
strawberry.enum(
    TransactionEventKind,
    description=(
        "What happened to a transaction: a hold was placed, or a payment to another bank made (PENDING); a hold was captured, in "
        "part or finally (CAPTURED); it was released, or such a payment came back unsettled (VOIDED); a hold expired (EXPIRED); "
        "money moved (POSTED); a posted transaction was reversed (REVERSED); a card authorisation or the transfer of a "
        "standing order was declined (DECLINED)."
        f"{_GROWS}"
    ),
)
_described(
    TransactionKind,
    f"What a transaction is for.{_GROWS}",
    {
        "DEPOSIT": "Cash paid in.",
        "WITHDRAWAL": "Cash paid out.",
        "TRANSFER": "A payment from one account to another, at this bank or another bank, or the return of one.",
        "HOLD": "Money reserved for a later payment, or the authorisation of a card payment.",
        "CARD_PAYMENT": "A payment by card: the capture of an authorisation.",
        "CARD_REFUND": "Money that a merchant returned to a card.",
        "FEE": "A fee of the bank. Its parent is the transfer for which it was charged, if there is one.",
        "INTEREST": "Interest that the bank pays or the customer. `explanation` says how it came about.",
        "REVERSAL": "Returns the money of an earlier transaction.",
    },
)
strawberry.enum(
    TransactionStatus,
    description="The status of a transaction. Only POSTED ones have moved money, and a hold's money moves in its captures. A "
    "payment to another bank is PENDING until it is settled (POSTED) or comes back (VOIDED). A VOIDED or EXPIRED hold may have "
    f"been captured in part before.{_GROWS}",
)
_described(
    PayeeMatch,
    "How the name of a payee compares with that of the account's holder.",
    {
        "MATCH": "It is the holder's name, apart from case, accents, the order of words, titles and legal forms.",
        "CLOSE_MATCH": "It is nearly the holder's name: a typing mistake, an initial, a missing middle name.",
        "NO_MATCH": "It is another name.",
        "NOT_POSSIBLE": "There is no such account at this bank.",
    },
)
_described(
    StepUpFactor,
    f"With what a user proves again who they are.{_GROWS}",
    {
        "PASSWORD": "The password, because no second factor is set up.",
        "CODE": "A one-time code of the app, or a recovery code.",
    },
)
_described(
    ExportFormat,
    f"A format of documents.{_GROWS}",
    {
        "PDF": "For people.",
        "CSV": "For spreadsheets: RFC 4180, in UTF-8.",
        "CAMT053": "For accounting software: camt.053.001.08 of ISO 20022.",
    },
)
_described(
    ScheduleStatus,
    f"The status of a standing order.{_GROWS}",
    {
        "ACTIVE": "Its transfers are made.",
        "PAUSED": "No transfers are made until it is resumed. Dates that pass meanwhile are left out.",
        "COMPLETED": "It has no further date.",
        "CANCELLED": "Its owner cancelled it, or it cannot go on: an account was closed, or the payee was removed.",
    },
)
_described(
    ScheduledRunStatus,
    f"What became of the transfer of a date.{_GROWS}",
    {
        "MOVED": "The transfer was made.",
        "RETRYING": "Money was missing. It is tried again later on the same day.",
        "REFUSED": "The transfer was not made, and is not tried again. The payer sees it in the feed, as a DECLINED "
        "transaction; not a sweep that was refused for anything but money, whose amount is not known.",
        "SKIPPED": "A sweep had nothing to move.",
    },
)
_described(
    DayRule,
    f"When the transfer of a date is made that is no business day (of TARGET2).{_GROWS}",
    {"AS_IS": "On that day.", "NEXT": "On the next business day.", "PREVIOUS": "On the business day before."},
)
_described(
    MissedRuns,
    f"Which transfers are made of dates that passed while the bank was down.{_GROWS}",
    {"ALL": "All, each once, in their order.", "LAST": "That of the last date only."},
)

_described(
    DayCount,
    f"How days are counted for interest, per ISDA 2006, section 4.16.{_GROWS}",
    {
        "ACT_365F": "The days that passed, of a year of 365 (Actual/365 Fixed).",
        "ACT_360": "The days that passed, of a year of 360 (Actual/360).",
        "THIRTY_E_360": "Months of 30 days, of a year of 360 (30E/360).",
    },
)
_described(
    InterestSide,
    "Who pays interest.",
    {"CREDIT": "The bank, on what an account has.", "DEBIT": "The customer, on what an account owes."},
)
_described(
    Sweep,
    f"How much the transfers of a sweep move.{_GROWS}",
    {
        "ABOVE": "What the paying account has above the amount: booked less held, without its overdraft.",
        "UP_TO": "What the paid account, of the same owner, lacks of the amount.",
    },
)

__all__ = [
    "AccessScope",
    "AccountKind",
    "AccountStatus",
    "CardForm",
    "CardKind",
    "CardStatus",
    "CurrencyCode",
    "DayCount",
    "DayRule",
    "EntryDirection",
    "ExportFormat",
    "FrozenBy",
    "GrantKind",
    "InterestSide",
    "LimitWindow",
    "MemberRole",
    "MembershipStatus",
    "MissedRuns",
    "PayeeMatch",
    "ScheduleStatus",
    "ScheduledRunStatus",
    "StateConflictCode",
    "StepUpFactor",
    "Sweep",
    "TransactionEventKind",
    "TransactionKind",
    "TransactionStatus",
    "UserRole",
    "UserStatus",
]
