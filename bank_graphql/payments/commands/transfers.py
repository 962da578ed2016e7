"""Transfers from an account of the actor to any account, and where payments go."""

from dataclasses import dataclass
from uuid import UUID

from bank_graphql.accounts.enums import AccountStatus
from bank_graphql.accounts.errors import AccountStatusRefused
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.errors import Forbidden, NotFound, ValidationFailed
from bank_graphql.kit.ids import global_id
from bank_graphql.kit.money import Money
from bank_graphql.ledger.enums import TransactionKind
from bank_graphql.ledger.rules import AccountState
from bank_graphql.payees.rules import VerifiedPayee
from bank_graphql.payments.commands.base import Command, Targets
from bank_graphql.payments.outcomes import Decision, Moved
from bank_graphql.payments.state import BatchState, require_currency


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a payment goes, as the payer gave it: exactly one of these."""

    account_id: UUID | None = None
    account_number: str | None = None
    payee_id: UUID | None = None

    def targets(self, payer_id: UUID) -> Targets:
        """Return the payer's account and this one."""
        if self.account_id is not None:
            return Targets(accounts=(payer_id, self.account_id))
        if self.payee_id is not None:
            return Targets(accounts=(payer_id,), payees=(self.payee_id,))
        return Targets(accounts=(payer_id,), numbers=(self.account_number or "",))

    def resolve(self, actor: Actor, state: BatchState) -> AccountState:
        """Return the account that this names.

        Raises:
            NotFound: the actor has no such payee; there is no such account, or it is closed and not visible to the actor.
            AccountStatusRefused: it is closed, and visible to the actor.
        """
        number = self.account_number if self.payee_id is None else self._number_of_payee(actor, self.payee_id, state)
        account_id = self.account_id or state.numbers.get(number or "")
        customer = state.customers.get(account_id) if account_id else None
        missing = NotFound("account", global_id("Account", self.account_id) if self.account_id else None)
        if account_id is None or customer is None:
            raise missing
        if customer.status == AccountStatus.CLOSED:
            if state.is_visible(actor, account_id):
                raise AccountStatusRefused(account_id, customer.status)
            raise missing
        return state.ledger.accounts[account_id]

    @staticmethod
    def _number_of_payee(actor: Actor, payee_id: UUID, state: BatchState) -> str:
        payee = state.payees.get(payee_id)
        if payee is None or payee.owner_id != actor.user_id or payee.removed_at is not None:
            raise NotFound("payee", global_id("Payee", payee_id))
        return payee.account_number


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer(Command):
    """Pay from an account of the actor to any account."""

    from_account_id: UUID
    to: Destination
    amount: Money
    description: str | None = None
    verification: VerifiedPayee | None = None

    action = "transfer"

    def targets(self) -> Targets:
        """Return both accounts, and that of the verification."""
        named = self.to.targets(self.from_account_id)
        return named if self.verification is None else named._replace(numbers=(*named.numbers, self.verification.number))

    def decide(self, state: BatchState) -> Decision:
        """Post the transfer.

        Raises:
            Refusal: as `payment_accounts` and `LedgerState.check_funds`.
            ValidationFailed: `EXPIRED`, `OTHER_ACCOUNT`: the verification has expired, or is about another account.
        """
        source, target = payment_accounts(self.actor, self.from_account_id, self.to, self.amount, state)
        verified = self.verification
        if verified is not None and verified.is_expired:
            raise ValidationFailed.of("payeeVerification", "EXPIRED", "The verification has expired: call verifyPayee again.")
        if verified is not None and state.numbers.get(verified.number) != target.account_id:
            raise ValidationFailed.of("payeeVerification", "OTHER_ACCOUNT", "The verification is about another account.")
        posted = state.ledger.post(TransactionKind.TRANSFER, source, target, self.amount, self.description, state.now)
        if verified is not None:
            state.verified.append((posted.id, verified.match, verified.name))
        return Moved(posted.id, posted)


def payment_accounts(
    actor: Actor, source_id: UUID, to: Destination, amount: Money, state: BatchState
) -> tuple[AccountState, AccountState]:
    """Return source and target of a payment from an account of the actor.

    Raises:
        NotFound: the source is not visible, or there is no such target.
        Forbidden: the source is not the actor's own.
        ValidationFailed: source and target are one account.
        CurrencyMismatch: an account is in another currency.
        AccountStatusRefused: the source is frozen or closed, or the target is closed.
    """
    source = state.visible_account(actor, source_id)
    if not state.is_owner(actor, source_id):
        raise Forbidden("Only its owner may pay from an account.")
    target = to.resolve(actor, state)
    if target is source:
        raise ValidationFailed.of("to", "SAME_ACCOUNT", "A payment goes to another account than it comes from.")
    require_currency(source, amount)
    require_currency(target, amount)
    state.refuse_status(source_id, AccountStatus.CLOSED, AccountStatus.FROZEN)
    return source, target
