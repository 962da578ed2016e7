"""What is remembered of idempotency keys: the outcomes of commands, as they are stored and told again. Pure."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from operator import attrgetter
from typing import Any, TypeGuard
from uuid import UUID

from bank_graphql.accounts.errors import AccountStatusRefused, StateConflict
from bank_graphql.cards.errors import LimitExceeded
from bank_graphql.kit.errors import Refusal
from bank_graphql.kit.money import Money
from bank_graphql.ledger.errors import InsufficientFunds
from bank_graphql.payments.commands import Command, Issued, Moved, Opened, Outcome
from bank_graphql.payments.errors import IdempotencyConflict

STICKY: dict[str, type[Refusal]] = {
    kind.__name__: kind for kind in (InsufficientFunds, AccountStatusRefused, LimitExceeded, StateConflict)
}
"""Refusals that stick to their idempotency key: a repetition is refused the same way, whatever has changed since."""
Done = Moved | Opened | Issued
_KINDS: dict[type[Any], tuple[str, Callable[[Any], UUID]]] = {
    Moved: ("MOVED", attrgetter("transaction_id")),
    Opened: ("OPENED", attrgetter("account_id")),
    Issued: ("ISSUED", attrgetter("card_id")),
}
"""The name of each way to be done, and what came of it: a transaction, an account, a card."""
_DONE = {name: kind for kind, (name, _) in _KINDS.items()}
Key = tuple[UUID, str]
"""A key, with whose it is."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What became of a key."""

    fingerprint: bytes
    outcome: Done | Refusal

    def replay(self) -> Outcome:
        """The outcome as a repetition of the request gets it."""
        return self.outcome if isinstance(self.outcome, Refusal) else replace(self.outcome, replayed=True)

    def conflict(self) -> Refusal:
        """What another request under the same key gets."""
        return IdempotencyConflict(self.outcome.transaction_id if isinstance(self.outcome, Moved) else None)

    def stored(self) -> tuple[bytes, str, UUID | None, str | None]:
        """Fingerprint, kind of outcome, subject and refusal, as they are stored."""
        if isinstance(self.outcome, Refusal):
            return self.fingerprint, "REFUSED", None, json.dumps(remember(self.outcome), default=str)
        kind, subject = _KINDS[type(self.outcome)]
        return self.fingerprint, kind, subject(self.outcome), None


def key_of(command: Command) -> Key | None:
    """A command's key; a dry run has none."""
    return None if command.key is None or command.dry_run else (command.actor.user_id, command.key)


def is_remembered(outcome: Outcome) -> TypeGuard[Done | Refusal]:
    """Whether an outcome sticks to its key."""
    return isinstance(outcome, Done) or type(outcome).__name__ in STICKY


def subject_of(outcome: Outcome) -> UUID | None:
    """What came of a command: a transaction, an account, a card; None of anything else."""
    known = _KINDS.get(type(outcome))
    return None if known is None else known[1](outcome)


def recalled(fingerprint: bytes, kind: str, subject_id: UUID | None, refusal: str | None) -> Remembered:
    """What was `stored`."""
    if kind == "REFUSED":
        return Remembered(fingerprint, recall(json.loads(refusal or "{}")))
    return Remembered(fingerprint, _DONE[kind](subject_id))


def remember(refusal: Refusal) -> dict[str, Any]:
    """A sticky refusal as it is stored beside its key."""
    return {"type": type(refusal).__name__, **asdict(refusal)}  # type: ignore[call-overload]


def recall(stored: dict[str, Any]) -> Refusal:
    """The refusal that `remember` stored, with its figures as they were first given."""
    kind = STICKY[stored["type"]]
    values = {}
    for each in fields(kind):  # type: ignore[arg-type]
        value = stored[each.name]
        values[each.name] = Money(**value) if each.type is Money else UUID(value) if each.type is UUID else value
    return kind(**values)
