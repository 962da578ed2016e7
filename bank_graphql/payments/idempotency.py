"""Outcomes stored under idempotency keys, and their replay. Pure.

Successes and replayable refusals are stored in the transaction of what they did. A replayed refusal has the figures that it first
had; a replayed success names what was made, which is read as it is now.
"""

import json
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any, TypeGuard, assert_never
from uuid import UUID

from bank_graphql.accounts.errors import AccountStatusRefused
from bank_graphql.cards.errors import LimitExceeded
from bank_graphql.kit.conflicts import StateConflict
from bank_graphql.kit.errors import Forbidden, NotFound, Refusal
from bank_graphql.kit.money import Money
from bank_graphql.ledger.errors import InsufficientFunds
from bank_graphql.payments.enums import OutcomeKind
from bank_graphql.payments.errors import DelegateLimitExceeded, IdempotencyConflict, PaymentApprovalRequired
from bank_graphql.payments.outcomes import Done, Issued, Moved, Opened, Outcome

REPLAYABLE: dict[str, type[Refusal]] = {
    kind.code: kind
    for kind in (
        InsufficientFunds,
        AccountStatusRefused,
        LimitExceeded,
        DelegateLimitExceeded,
        PaymentApprovalRequired,
        StateConflict,
    )
}
"""Refusals that are stored with their key, by their codes: a replay is refused the same way, whatever has changed since."""


@dataclass(frozen=True, slots=True)
class StoredOutcome:
    """The outcome of a key, and the fingerprint of the input that led to it."""

    fingerprint: bytes
    outcome: Done | Refusal

    def replay(self) -> Outcome:
        """Return the outcome as a request gets it that repeats the same input under the key."""
        return self.outcome if isinstance(self.outcome, Refusal) else replace(self.outcome, replayed=True)

    def conflict(self) -> Refusal:
        """Return the refusal that another input under the same key gets."""
        return IdempotencyConflict(self.outcome.transaction_id if isinstance(self.outcome, Moved) else None)

    def columns(self) -> tuple[bytes, OutcomeKind, UUID | None, str | None]:
        """Return fingerprint, outcome, subject and refusal as the columns of the table hold them."""
        if isinstance(self.outcome, Refusal):
            refusal = json.dumps(encode_refusal(self.outcome), default=str)
            return self.fingerprint, OutcomeKind.REFUSED, None, refusal
        return self.fingerprint, _kind_of(self.outcome), subject_of(self.outcome), None


def stored_outcome(fingerprint: bytes, kind: OutcomeKind, subject_id: UUID | None, refusal: str | None) -> StoredOutcome:
    """Return the stored outcome that these columns hold."""
    if subject_id is None:
        return StoredOutcome(fingerprint, decode_refusal(json.loads(refusal or "{}")))
    match OutcomeKind(kind):
        case OutcomeKind.MOVED:
            return StoredOutcome(fingerprint, Moved(subject_id))
        case OutcomeKind.OPENED:
            return StoredOutcome(fingerprint, Opened(subject_id))
        case OutcomeKind.ISSUED:
            return StoredOutcome(fingerprint, Issued(subject_id))
        case OutcomeKind.REFUSED:
            raise ValueError("a refused command has no subject")


def is_stored(outcome: Outcome) -> TypeGuard[Done | Refusal]:
    """Return whether an outcome is stored with its key."""
    return isinstance(outcome, Done) or (isinstance(outcome, Refusal) and outcome.code in REPLAYABLE)


def subject_of(outcome: Outcome) -> UUID | None:
    """Return what a command made: a transaction, an account or a card; None for a refusal or a preview."""
    match outcome:
        case Moved():
            return outcome.transaction_id
        case Opened():
            return outcome.account_id
        case Issued():
            return outcome.card_id
        case _:
            return None


def encode_refusal(refusal: Refusal) -> dict[str, Any]:
    """Return a refusal as JSON stores it: its code, and its fields; a sentence of one that is not replayable."""
    if refusal.code in REPLAYABLE:
        return {"type": refusal.code, **asdict(refusal)}  # type: ignore[call-overload]
    return {"type": refusal.code, "what": refusal.what if isinstance(refusal, NotFound) else str(refusal)}


def decode_refusal(stored: dict[str, Any]) -> Refusal:
    """Return the refusal that `encode_refusal` encoded, with the figures that it first had.

    One that is not replayable is a NotFound, or a Forbidden with its sentence.
    """
    if stored["type"] not in REPLAYABLE:
        return NotFound(stored["what"]) if stored["type"] == NotFound.code else Forbidden(stored["what"])
    kind = REPLAYABLE[stored["type"]]
    return kind(**{each.name: _decode(stored[each.name], each.type) for each in fields(kind)})  # type: ignore[arg-type]


def _decode(value: Any, kind: Any) -> Any:
    if kind is Money:
        return Money(**value)
    return kind(value) if kind is UUID or issubclass(kind, StrEnum) else value


def _kind_of(outcome: Done) -> OutcomeKind:
    match outcome:
        case Moved():
            return OutcomeKind.MOVED
        case Opened():
            return OutcomeKind.OPENED
        case Issued():
            return OutcomeKind.ISSUED
        case _:
            assert_never(outcome)
