"""The commands, one class each: what it names (`targets`) and how it is decided (`decide`), in memory.

`base` what all have · `cash` deposits and withdrawals · `transfers` · `scheduled` those of standing orders · `holds` place,
capture, release, expire · `reversals` and what is reserved for them · `accounts` opening · `cards` issue, replace, authorise,
refund · `requests` what programs may not pay by themselves · `clearing` payments to other banks and from them · `charges` fees
and interest. A new command is a class, and its name in the import, in `COMMANDS` and in `__all__`.
"""

from bank_graphql.payments.commands.accounts import OpenAccount
from bank_graphql.payments.commands.base import DESCRIPTION_MAX, KEY_MAX, Command, Key, Targets, fingerprint_of
from bank_graphql.payments.commands.cards import AuthorizeCard, IssueCard, RefundCardPayment, ReplaceCard
from bank_graphql.payments.commands.cash import Deposit, Withdraw
from bank_graphql.payments.commands.charges import PostDue
from bank_graphql.payments.commands.clearing import ClearTransfer, ReceiveTransfer, ReturnTransfer, SettleTransfer
from bank_graphql.payments.commands.holds import CaptureHold, ExpireHold, PlaceHold, ReleaseHold
from bank_graphql.payments.commands.requests import DecidePayment
from bank_graphql.payments.commands.reversals import ReleaseReservation, ReserveReversal, ReverseTransaction
from bank_graphql.payments.commands.scheduled import RunScheduledTransfer
from bank_graphql.payments.commands.transfers import Destination, Transfer

COMMANDS: tuple[type[Command], ...] = (
    AuthorizeCard,
    CaptureHold,
    ClearTransfer,
    DecidePayment,
    Deposit,
    ExpireHold,
    IssueCard,
    OpenAccount,
    PlaceHold,
    PostDue,
    ReceiveTransfer,
    RefundCardPayment,
    ReleaseHold,
    ReleaseReservation,
    ReplaceCard,
    ReserveReversal,
    ReturnTransfer,
    ReverseTransaction,
    RunScheduledTransfer,
    SettleTransfer,
    Transfer,
    Withdraw,
)
"""All commands."""

__all__ = [
    "COMMANDS",
    "DESCRIPTION_MAX",
    "KEY_MAX",
    "AuthorizeCard",
    "CaptureHold",
    "ClearTransfer",
    "Command",
    "DecidePayment",
    "Deposit",
    "Destination",
    "ExpireHold",
    "IssueCard",
    "Key",
    "OpenAccount",
    "PlaceHold",
    "PostDue",
    "ReceiveTransfer",
    "RefundCardPayment",
    "ReleaseHold",
    "ReleaseReservation",
    "ReplaceCard",
    "ReserveReversal",
    "ReturnTransfer",
    "ReverseTransaction",
    "RunScheduledTransfer",
    "SettleTransfer",
    "Targets",
    "Transfer",
    "Withdraw",
    "fingerprint_of",
]
