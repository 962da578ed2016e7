"""What all commands have: who sends them, their idempotency key, what they name, and how they are decided."""

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

import orjson

from bank_graphql.kit.actor import Actor
from bank_graphql.payments.outcomes import Decision
from bank_graphql.payments.state import BatchState

KEY_MAX = 255
DESCRIPTION_MAX = 500

Key = tuple[UUID, str]
"""An idempotency key, with the user whose key it is."""


class Targets(NamedTuple):
    """What a command names. The accounts behind it are locked, and what it names is loaded, before the command is decided.

    Attributes:
        accounts: accounts by id, the bank's internal ones too.
        owner: the user for whom an account is opened. The user's opening of accounts is locked.
        numbers: accounts by account number.
        payees: payees, and by them the accounts with their numbers.
        transactions: transactions, and by them both of their accounts.
        cards: cards by id, and by them their accounts.
        card_hashes: cards by the keyed hashes of their numbers, and by them their accounts.
        clearing: the bank's clearing account, if the payment leaves the bank: if none of its accounts has one of the numbers.
        fees_account: the bank's account for fees, if the payment leaves the bank, which the first of `accounts` pays for.
        charges_cards: whether the accounts of the cards may be charged a fee.
        suspends: whether the suspense accounts of the named transactions' currencies are needed.
        references: payments from other banks: the bank, and the reference that it gave.
        checks_limits: whether limits are checked: of the named cards as of now, or as of its authorisation for the card of a
            named transaction.
    """

    accounts: tuple[UUID, ...] = ()
    numbers: tuple[str, ...] = ()
    payees: tuple[UUID, ...] = ()
    transactions: tuple[UUID, ...] = ()
    cards: tuple[UUID, ...] = ()
    card_hashes: tuple[bytes, ...] = ()
    clearing: UUID | None = None
    fees_account: UUID | None = None
    charges_cards: bool = False
    suspends: bool = False
    references: tuple[tuple[str, str], ...] = ()
    checks_limits: bool = False
    owner: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(ABC):
    """One thing that a batch is to do.

    Attributes:
        actor: the user who sends it.
        key: the idempotency key; None only for what the bank does by itself.
        dry_run: whether only to say what it would lead to.
    """

    actor: Actor
    key: str | None
    dry_run: bool = False

    action: ClassVar[str]
    """The API's name for the command. It is part of the fingerprint, and the audit records it."""

    stores_refusals: ClassVar[bool] = True
    """Whether refusals are stored under the key. The bank tries again what it does by itself."""

    @property
    def audited(self) -> tuple[UUID | None, str | None]:
        """What the command is about and to what it changes that, for the audit, if that is not what it makes; else None."""
        return None, None

    @abstractmethod
    def targets(self) -> Targets:
        """Return what the command names."""

    @abstractmethod
    def decide(self, state: BatchState) -> Decision:
        """Execute the command on the state of its batch, in memory.

        Raises:
            Refusal: the command is refused. The state is unchanged, except that a hold that is due has expired, and that an
                internal account may have been opened.
        """

    @property
    def stored_key(self) -> Key | None:
        """The key under which the outcome is stored; None without a key, and for a dry run, which ignores it."""
        return None if self.key is None or self.dry_run else (self.actor.user_id, self.key)

    def fingerprint(self) -> bytes:
        """Return a digest of the input, which distinguishes a replay from another request under the same key."""
        return fingerprint_of(self.action, self)


def fingerprint_of(action: str, given: Any) -> bytes:
    """Return a digest of an action and its input, a dataclass.

    Fields that are None are not included, so that an input may get further options and old fingerprints stay valid.
    """
    return hashlib.blake2b(orjson.dumps([action, _given(given)], _plain, _OPTIONS), digest_size=16).digest()


_NOT_INPUT = frozenset({"actor", "key", "dry_run", "is_expired", "batch_total", "until"})
_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    return value.hex() if isinstance(value, bytes) else _given(value)


def _given(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that are input and not None."""
    given = ((name, getattr(value, name)) for name in _field_names(value.__class__))
    return {name: each for name, each in given if each is not None}


@cache
def _field_names(kind: Any) -> tuple[str, ...]:
    return tuple(each.name for each in fields(kind) if each.name not in _NOT_INPUT)
