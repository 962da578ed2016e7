"""The transfers of standing orders, which the bank makes for their owners."""

from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from bank_graphql.clearing.rules import ExternalAccount
from bank_graphql.kit.errors import Forbidden, Refusal, ValidationFailed
from bank_graphql.kit.money import MAX_AMOUNT, Money
from bank_graphql.ledger.enums import Purpose, TransactionKind
from bank_graphql.ledger.errors import InsufficientFunds
from bank_graphql.ledger.rules import internal_account_id
from bank_graphql.payments.commands.base import DESCRIPTION_MAX, Key, Targets
from bank_graphql.payments.commands.transfers import Transfer, payment_accounts, require_inside, require_proof
from bank_graphql.payments.enums import Sweep
from bank_graphql.payments.errors import NothingToMove
from bank_graphql.payments.outcomes import Decision, Declined
from bank_graphql.payments.state import BatchState


@dataclass(frozen=True, slots=True, kw_only=True)
class RunScheduledTransfer(Transfer):
    """Try the transfer of one date of a standing order, once however often this is sent.

    It is stored under a key of the order, which no user can use, and which is kept as long as the order. Whatever the order has
    become meanwhile, it is the same request.

    Attributes:
        sweep: how much is moved, if not `amount`.
        is_last: whether this is the last try of that day.
        forbidden: why the payer may pay nothing; None if the payer may.
    """

    schedule_id: UUID
    planned_for: date
    attempt: int
    sweep: Sweep | None = None
    is_last: bool = True
    forbidden: str | None = None

    action = "runScheduledTransfer"
    stores_refusals = False

    def targets(self) -> Targets:
        """Return both accounts, and the suspense account, which stands for the payee of a transfer that is declined."""
        named = Transfer.targets(self)
        return named._replace(accounts=(*named.accounts, internal_account_id(Purpose.SUSPENSE, self.amount.currency)))

    def decide(self, state: BatchState) -> Decision:
        """Post the transfer. If it is not tried again, the refusal is recorded as a DECLINED transaction, which the payer sees.

        A sweep that is refused for anything but money records none: how much it would have moved is not known.

        Raises:
            NothingToMove: a sweep has nothing to move.
            InsufficientFunds: money is missing, and it is tried again.
            NotFound, Forbidden: the payer has no such account.
        """
        try:
            if self.forbidden is not None:
                raise Forbidden(self.forbidden)
            return Transfer.decide(self if self.sweep is None else replace(self, amount=self._swept(state)), state)
        except NothingToMove:
            raise
        except Refusal as refusal:
            is_tried_again = isinstance(refusal, InsufficientFunds) and not self.is_last
            amount = None if self.sweep else self.amount
            if isinstance(refusal, InsufficientFunds):
                amount = refusal.required
            if is_tried_again or amount is None or not state.access(self.actor, self.from_account_id).may_pay:
                raise
            return self._decline(refusal, amount, state)

    def _swept(self, state: BatchState) -> Money:
        """Return what a sweep moves.

        Raises:
            NothingToMove: it moves nothing.
            ValidationFailed: `NOT_OWN`: the account to fill up is not the payer's own, who may not learn its balance.
            StepUpRequired: a sweep to somebody else may move a large amount, and the actor was not verified a short while ago.
            Refusal: as `payment_accounts`.
        """
        source, target = payment_accounts(self.actor, self.from_account_id, self.to, self.amount, state)
        if self.sweep == Sweep.ABOVE:
            if isinstance(target, ExternalAccount) or not state.access(self.actor, target.account_id).is_owner:
                require_proof(self.actor, MAX_AMOUNT, source.currency, state)  # on its day it may be any amount
            fee = state.fees_of(source.account_id).external_transfer if isinstance(target, ExternalAccount) else 0
            moved = source.booked - source.held - self.amount.minor - fee
        else:
            filled = require_inside(target)
            if not state.access(self.actor, filled.account_id).is_owner:
                raise ValidationFailed.of("to", "NOT_OWN", "Only an account of one's own can be filled up to an amount.")
            moved = self.amount.minor - filled.booked
        if moved <= 0:
            raise NothingToMove
        return Money(min(moved, MAX_AMOUNT), self.amount.currency)

    def _decline(self, refusal: Refusal, amount: Money, state: BatchState) -> Declined:
        source = state.ledger.accounts[self.from_account_id]
        suspense = state.ledger.internal_account(Purpose.SUSPENSE, source.currency, state.now)
        what = f"Not paid: {self.description}." if self.description else "Not paid."
        notice = f"{what} {refusal}"[:DESCRIPTION_MAX]
        shown = Money(amount.minor, source.currency)
        declined = state.ledger.decline(source, suspense, shown, state.now, kind=TransactionKind.TRANSFER, description=notice)
        return Declined(refusal, declined.id)

    @property
    def stored_key(self) -> Key | None:
        """The key under which the outcome is stored."""
        return None if self.dry_run else (self.schedule_id, f"schedule/{self.planned_for}/{self.attempt}")

    def fingerprint(self) -> bytes:
        """Return the same for all requests under the key."""
        return self.schedule_id.bytes
