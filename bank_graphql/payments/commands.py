"""What can be asked of the payments, and what comes of it. Plain data: amounts in minor units, ids resolved."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cache
from typing import Any, ClassVar
from uuid import UUID

import orjson

from bank_graphql.cards.rules import Merchant
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.errors import Refusal
from bank_graphql.kit.money import Money
from bank_graphql.ledger.rules import TransactionState

KEY_MAX = 255
DESCRIPTION_MAX = 500
GROUP_MAX = 1000
"""Commands in a group, at the most; an atomic one shares a transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One thing to do.

    Attributes:
        actor: who asks.
        key: the idempotency key; None only for the bank's own doings.
        dry_run: only tell what would happen.
    """

    actor: Actor
    key: str | None
    dry_run: bool = False

    action: ClassVar[str]
    """The API's name for it: part of the fingerprint, and the audit's word."""

    def fingerprint(self) -> bytes:
        """A digest of what is asked, to tell a repetition from a new request under an old key.

        What is not given leaves no trace, so that a command may get further options and keep the fingerprints of old requests.
        """
        asked = {name: value for name, value in _given(self).items() if name not in _UNTOLD}
        return hashlib.blake2b(orjson.dumps([self.action, asked], _plain, _OPTIONS), digest_size=16).digest()


_UNTOLD = frozenset({"actor", "key", "dry_run"})


_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    return value.hex() if isinstance(value, bytes) else _given(value)


def _given(value: Any) -> dict[str, Any]:
    """The fields of a dataclass that are not None."""
    given = ((name, getattr(value, name)) for name in _names(value.__class__))
    return {name: each for name, each in given if each is not None}


@cache
def _names(kind: Any) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind))


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit(Command):
    """Cash comes in to an account."""

    account_id: UUID
    amount: Money
    description: str | None = None

    action = "deposit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw(Command):
    """Cash goes out from an account."""

    account_id: UUID
    amount: Money
    description: str | None = None

    action = "withdraw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a transfer goes, as the payer gave it: exactly one of the two."""

    account_id: UUID | None = None
    account_number: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer(Command):
    """Money goes from an account of the actor to any account."""

    from_account_id: UUID
    to: Destination
    amount: Money
    description: str | None = None

    action = "transfer"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceHold(Command):
    """Money on an account of the actor is reserved for another account, to be captured or given back."""

    account_id: UUID
    to: Destination
    amount: Money
    expires_at: datetime | None = None
    description: str | None = None

    action = "placeHold"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureHold(Command):
    """What a hold reserves is moved: the amount, or all that is left; the rest is given back unless the hold goes on."""

    transaction_id: UUID
    amount: Money | None = None
    final: bool = True

    action = "captureHold"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseHold(Command):
    """What a hold still reserves is given back."""

    transaction_id: UUID

    action = "releaseHold"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireHold(Command):
    """A hold whose time has come is given back, by the bank itself."""

    transaction_id: UUID

    action = "expireHold"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReverseTransaction(Command):
    """A posted transaction is taken back, in full, by one with the opposite entries."""

    transaction_id: UUID
    reason: str

    action = "reverseTransaction"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAccount(Command):
    """A new account for the actor, with an opening deposit if there is one (in minor units)."""

    kind: str
    currency: str
    name: str
    opening_deposit: int | None = None

    action = "openAccount"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueCard(Command):
    """A new card on an account of the actor. Limits by their windows; no holder's name for the actor's own."""

    account_id: UUID
    kind: str
    form: str
    holder_name: str | None = None
    limits: tuple[tuple[str, Money], ...] = ()
    blocked_categories: tuple[str, ...] = ()

    action = "issueCard"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceCard(Command):
    """A new card, with a new number, for one that is then cancelled; its limits and blocks carry over."""

    card_id: UUID

    action = "replaceCard"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizeCard(Command):
    """A merchant asks whether a card pays: a hold if it does. The card by exactly one of its id and its number's keyed hash."""

    card_id: UUID | None = None
    number_hash: bytes | None = None
    amount: Money
    merchant: Merchant

    action = "authorizeCard"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundCardPayment(Command):
    """A merchant gives back a card payment: the amount, or all that was not given back yet."""

    transaction_id: UUID
    amount: Money | None = None

    action = "refundCardPayment"


@dataclass(frozen=True, slots=True)
class Moved:
    """Money was moved.

    Attributes:
        transaction_id: by which transaction.
        transaction: the transaction as it is now, if it was made or changed with this batch.
        replayed: whether it was by an earlier command with the same key.
    """

    transaction_id: UUID
    transaction: TransactionState | None = field(default=None, compare=False, repr=False)
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """This account was opened; `replayed` if by an earlier command with the same key."""

    account_id: UUID
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Issued:
    """This card was issued; `replayed` if by an earlier command with the same key."""

    card_id: UUID
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """What a dry run would do. None for an account that the actor may not read."""

    amount: Money
    from_available_after: Money | None
    to_booked_after: Money | None


Outcome = Moved | Opened | Issued | Preview | Refusal


@dataclass(frozen=True, slots=True)
class Group:
    """Commands that are asked for together, carried out one after another.

    Attributes:
        commands: all dry runs, or none; a refusal stands for what made no command, and is its own outcome.
        atomic: all of them or none.
    """

    commands: tuple[Command | Refusal, ...]
    atomic: bool = False

    @property
    def dry_run(self) -> bool:
        """Whether only to tell what would happen."""
        return any(isinstance(command, Command) and command.dry_run for command in self.commands)

    @property
    def owner_id(self) -> UUID | None:
        """Who asks; None where nothing makes a command."""
        return next((command.actor.user_id for command in self.commands if isinstance(command, Command)), None)

    def fingerprints(self) -> "Iterator[tuple[Command, bytes]]":
        """Yield the commands that have keys, each with its fingerprint.

        Those of an atomic group are one, of all its commands and keys in their order, so that only the same group again is taken
        for a repetition.
        """
        keyed = [each for each in self.commands if isinstance(each, Command) and each.key is not None and not each.dry_run]
        digests = [each.fingerprint() for each in keyed]
        if self.atomic:
            whole = hashlib.blake2b(digest_size=16)
            for command, digest in zip(keyed, digests, strict=True):
                whole.update(digest + hashlib.blake2b((command.key or "").encode(), digest_size=16).digest())
            digests = [whole.digest()] * len(keyed)
        yield from zip(keyed, digests, strict=True)

    def pieces(self, most: int) -> "Iterator[Group]":
        """What is to be carried out in one transaction: all of it, if atomic or a dry run; otherwise so many at a time."""
        if self.atomic or self.dry_run or len(self.commands) <= most:
            yield self
        else:
            yield from (Group(self.commands[start : start + most]) for start in range(0, len(self.commands), most))
