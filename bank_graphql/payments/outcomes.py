"""What commands lead to. Plain data: ids, and amounts in minor units."""

from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from bank_graphql.kit.errors import Refusal
from bank_graphql.kit.money import Money
from bank_graphql.ledger.rules import TransactionState


@dataclass(frozen=True, slots=True)
class Moved:
    """A transaction was made, or its state changed.

    Attributes:
        transaction_id: the transaction.
        transaction: its present state, if this batch made or changed it.
        replayed: whether an earlier command with the same key did so.
    """

    transaction_id: UUID
    transaction: TransactionState | None = field(default=None, compare=False, repr=False)
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """An account was opened; `replayed` if by an earlier command with the same key."""

    account_id: UUID
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Issued:
    """A card was issued; `replayed` if by an earlier command with the same key."""

    card_id: UUID
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Declined:
    """A card authorisation, or the transfer of a standing order, was refused.

    The refusal is the command's outcome, and the declined transaction is written.
    """

    refusal: Refusal
    transaction_id: UUID


@dataclass(frozen=True, slots=True)
class Preview:
    """What a dry run would lead to. An amount is None for an account that is not visible to the actor.

    `settles_on` is when a payment to another bank is to be settled; None for all others. `fee` is what the bank charges for it.
    """

    amount: Money
    from_available_after: Money | None
    to_booked_after: Money | None
    settles_on: date | None = None
    fee: Money | None = None


Done = Moved | Opened | Issued
"""What a command that took effect leads to."""
Decision = Done | Declined
"""What `Command.decide` returns. All other refusals are raised."""
Outcome = Done | Preview | Refusal
"""What a caller gets for a command."""
