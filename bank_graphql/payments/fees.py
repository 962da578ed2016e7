"""What the bank charges for payments, and what it is to post by itself. Plain data."""

from dataclasses import dataclass
from uuid import UUID

from bank_graphql.ledger.enums import TransactionKind


@dataclass(frozen=True, slots=True)
class Fees:
    """The fees of an account, in minor units. Zero: none."""

    external_transfer: int = 0
    card_replacement: int = 0


NO_FEES = Fees()


@dataclass(frozen=True, slots=True)
class NewDue:
    """A fee or interest that is to be posted once the account allows it. `models.DuePosting` describes the fields."""

    account_id: UUID
    kind: TransactionKind
    amount: int
    description: str
    reason: str
