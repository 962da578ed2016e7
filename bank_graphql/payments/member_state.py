"""The members' part of a batch's state: who may use which account beside its owner, and what they paid that day. No I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple
from uuid import UUID

from bank_graphql.accounts.access import Member
from bank_graphql.cards.enums import LimitWindow
from bank_graphql.kit.money import Money
from bank_graphql.ledger.rules import TransactionState
from bank_graphql.payments.errors import MemberLimitExceeded


class NewMemberPayment(NamedTuple):
    """A payment or a hold that a member made; the amount in minor units."""

    transaction_id: UUID
    membership_id: UUID
    day: date
    amount: int


@dataclass(frozen=True, slots=True)
class MemberSavepoint:
    """The members' part of a savepoint of a batch."""

    spent: dict[UUID, int]
    new_payments: int


class MembersState:
    """The members of a batch's accounts, as far as they send its commands, and what they pay; `service` writes it.

    Attributes:
        today: the day of the batch in the bank's time zone, for limits.
        members: memberships, by user and account.
        spent: what was paid today, by membership, in minor units. It is known of memberships that have a limit.
        new_payments: what the batch's commands paid.
    """

    def __init__(self, today: date, members: Mapping[tuple[UUID, UUID], Member], spent: Mapping[UUID, int]) -> None:
        self.today = today
        self.members = members
        self.spent = dict(spent)
        self.new_payments: list[NewMemberPayment] = []

    def check_limit(self, user_id: UUID, account_id: UUID, amount: Money) -> None:
        """Refuse an amount that a member may not pay today.

        Raises:
            MemberLimitExceeded: it exceeds what remains of the member's limit.
        """
        member = self.members.get((user_id, account_id))
        if member is None or member.daily_limit is None:
            return
        spent = self.spent.get(member.membership_id, 0)
        if spent + amount.minor > member.daily_limit:
            limit, paid = Money(member.daily_limit, amount.currency), Money(spent, amount.currency)
            raise MemberLimitExceeded(LimitWindow.DAY, limit, paid)

    def add_payment(self, user_id: UUID, made: TransactionState) -> None:
        """Count what a user paid, if the user is a member of the account. Nothing is taken off when it is returned."""
        member = self.members.get((user_id, made.from_account_id))
        if member is None:
            return
        self.spent[member.membership_id] = self.spent.get(member.membership_id, 0) + made.amount
        self.new_payments.append(NewMemberPayment(made.id, member.membership_id, self.today, made.amount))

    def savepoint(self) -> MemberSavepoint:
        """Return what `roll_back` restores."""
        return MemberSavepoint(dict(self.spent), len(self.new_payments))

    def roll_back(self, to: MemberSavepoint) -> None:
        """Undo everything since the savepoint."""
        self.spent = dict(to.spent)
        del self.new_payments[to.new_payments :]
