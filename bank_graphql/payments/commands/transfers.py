"""Transfers from an account of the actor to any account, at this bank or another, and where payments go."""

from dataclasses import dataclass
from uuid import UUID

from bank_graphql.accounts.access import Delegate
from bank_graphql.accounts.enums import AccountStatus
from bank_graphql.accounts.errors import AccountStatusRefused
from bank_graphql.clearing.rules import DESCRIPTION_MAX, ExternalAccount
from bank_graphql.identity.errors import StepUpRequired
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.errors import Forbidden, NotFound, ValidationFailed
from bank_graphql.kit.ids import global_id
from bank_graphql.kit.money import Money
from bank_graphql.ledger.enums import Purpose, TransactionKind
from bank_graphql.ledger.rules import AccountState, TransactionState, internal_account_id
from bank_graphql.payees.rules import VerifiedPayee
from bank_graphql.payments.commands.base import Command, Targets
from bank_graphql.payments.commands.charges import post_fee
from bank_graphql.payments.commands.requests import request_approval
from bank_graphql.payments.outcomes import Decision, Moved
from bank_graphql.payments.state import BatchState, require_currency

EXTERNAL_TRANSFER_FEE = "Fee for a transfer to another bank"


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a payment goes, as the payer gave it: exactly one of these."""

    account_id: UUID | None = None
    account_number: str | None = None
    payee_id: UUID | None = None
    external: ExternalAccount | None = None

    def targets(self, payer_id: UUID, currency: str | None = None) -> Targets:
        """Return the payer's account and this one. With its currency, a payment may leave the bank through the clearing."""
        if self.account_id is not None:
            return Targets(accounts=(payer_id, self.account_id))
        clearing = None if currency is None else internal_account_id(Purpose.CLEARING, currency)
        fees = None if currency is None else internal_account_id(Purpose.FEES, currency)
        if self.payee_id is not None:
            return Targets(accounts=(payer_id,), payees=(self.payee_id,), clearing=clearing, fees_account=fees)
        if self.external is not None:
            return Targets(accounts=(payer_id,), numbers=(self.external.number,), clearing=clearing, fees_account=fees)
        return Targets(accounts=(payer_id,), numbers=(self.account_number or "",))

    def resolve(self, actor: Actor, state: BatchState) -> AccountState | ExternalAccount:
        """Return the account that this names.

        Raises:
            NotFound: the actor has no such payee; there is no such account, or it is closed and not visible to the actor.
            AccountStatusRefused: it is closed, and visible to the actor.
        """
        external = self.external if self.payee_id is None else self._payee(actor, self.payee_id, state)
        if external is None:
            return self.account(actor, state)
        if external.number in state.numbers or state.clearing.policy.is_own_number(external.number):
            return Destination(account_number=external.number).account(actor, state)
        return external

    def account(self, actor: Actor, state: BatchState) -> AccountState:
        """Return the account at this bank that this names by its id or number.

        Raises:
            NotFound, AccountStatusRefused: as `resolve`.
        """
        account_id = self.account_id or state.numbers.get(self.account_number or "")
        customer = state.customers.get(account_id) if account_id else None
        missing = NotFound("account at this bank", global_id("Account", self.account_id) if self.account_id else None)
        if account_id is None or customer is None:
            raise missing
        if customer.status == AccountStatus.CLOSED:
            if state.access(actor, account_id).is_visible:
                raise AccountStatusRefused(account_id, customer.status)
            raise missing
        return state.ledger.accounts[account_id]

    @staticmethod
    def _payee(actor: Actor, payee_id: UUID, state: BatchState) -> ExternalAccount:
        payee = state.payees.get(payee_id)
        if payee is None or payee.owner_id != actor.user_id or payee.removed_at is not None:
            raise NotFound("payee", global_id("Payee", payee_id))
        return payee.account


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer(Command):
    """Pay from an account of the actor, or one that the actor may use, to any account.

    `end_to_end_id`, the payer's name for a payment to another bank, is passed on to that bank. `batch_total` is the
    sum of a batch that it is a part of, in minor units of its currency: whether it is large depends on that.
    """

    from_account_id: UUID
    to: Destination
    amount: Money
    description: str | None = None
    verification: VerifiedPayee | None = None
    end_to_end_id: str | None = None
    batch_total: int = 0

    action = "transfer"

    def targets(self) -> Targets:
        """Return both accounts, and that of the verification."""
        named = self.to.targets(self.from_account_id, self.amount.currency)
        if self.actor.grant is not None:  # what a program may not pay is held there
            named = named._replace(accounts=(*named.accounts, internal_account_id(Purpose.SUSPENSE, self.amount.currency)))
        return named if self.verification is None else named._replace(numbers=(*named.numbers, self.verification.number))

    def decide(self, state: BatchState) -> Decision:
        """Post the transfer. One that leaves the bank is reserved until it is settled, and its fee is posted at once.

        Raises:
            Refusal: as `payment_accounts`, `require_proof`, `DelegatesState.check_limit` and `LedgerState.check_funds`.
            ValidationFailed: `EXPIRED`, `OTHER_ACCOUNT`: the verification has expired, or is about another account; `TOO_LONG`:
                the description of a payment to another bank.
        """
        source, target = payment_accounts(self.actor, self.from_account_id, self.to, self.amount, state)
        program = state.delegates.of(self.actor.user_id, source.account_id) if self.actor.grant is not None else None
        if program is not None:
            return self._pay_as_program(program, source, target, state)
        require_proof(self.actor, max(self.amount.minor, self.batch_total), self.amount.currency, state)
        state.delegates.check_limit(self.actor.user_id, source.account_id, self.amount)
        return self._pay(source, target, state)

    def _pay_as_program(
        self, program: Delegate, source: AccountState, target: AccountState | ExternalAccount, state: BatchState
    ) -> Decision:
        """Pay what the program may pay by itself. For the rest, hold the money and have the owner decide."""
        payee = target.number if isinstance(target, ExternalAccount) else target.account_id
        is_large = state.is_large(self.amount.minor, self.amount.currency)
        reason = state.delegates.needs_approval(program, payee, self.amount, is_large=is_large)
        if reason is None:
            return self._pay(source, target, state)
        if self.dry_run:
            raise Forbidden(f"{reason} Without a dry run, the money is held, and the account's owner decides.")
        self._check_description(target)
        self._check_verification(target, state)
        details = {"description": self.description, "end_to_end_id": self.end_to_end_id}
        return request_approval(program, source, target, self.amount, reason, state, **details)

    def _pay(self, source: AccountState, target: AccountState | ExternalAccount, state: BatchState) -> Moved:
        self._check_verification(target, state)
        if isinstance(target, ExternalAccount):
            made = self._send(source, target, state)
        else:
            made = state.ledger.post(TransactionKind.TRANSFER, source, target, self.amount, self.description, state.now)
        state.delegates.add_payment(self.actor.user_id, made)
        if self.verification is not None:
            state.verified.append((made.id, self.verification.match, self.verification.name))
        return Moved(made.id, made)

    def _send(self, source: AccountState, target: ExternalAccount, state: BatchState) -> TransactionState:
        self._check_description(target)
        clearing = state.ledger.internal_account(Purpose.CLEARING, source.currency, state.now)
        fee = state.fees_of(source.account_id).external_transfer
        state.ledger.check_funds(source, clearing, Money(self.amount.minor + fee, source.currency))
        pending = state.ledger.place_hold(
            source, clearing, self.amount, self.description, state.now, kind=TransactionKind.TRANSFER
        )
        if fee:
            post_fee(state, source, fee, EXTERNAL_TRANSFER_FEE, pending)
        state.clearing.send(pending, target, self.end_to_end_id, state.now, sandbox=state.sandbox)
        return pending

    def _check_description(self, target: AccountState | ExternalAccount) -> None:
        is_external, length = isinstance(target, ExternalAccount), len(self.description or "")
        if is_external and length > DESCRIPTION_MAX:
            message = f"The description of a payment to another bank has at most {DESCRIPTION_MAX} characters."
            raise ValidationFailed.of("description", "TOO_LONG", message)

    def _check_verification(self, target: AccountState | ExternalAccount, state: BatchState) -> None:
        verified = self.verification
        if verified is None:
            return
        if verified.is_expired:
            raise ValidationFailed.of("payeeVerification", "EXPIRED", "The verification has expired: call verifyPayee again.")
        if isinstance(target, ExternalAccount):
            is_about_target = verified.number == target.number
        else:
            is_about_target = state.numbers.get(verified.number) == target.account_id
        if not is_about_target:
            raise ValidationFailed.of("payeeVerification", "OTHER_ACCOUNT", "The verification is about another account.")


def require_inside(target: AccountState | ExternalAccount) -> AccountState:
    """Return the target of a payment that cannot leave the bank.

    Raises:
        ValidationFailed: `OTHER_BANK`.
    """
    if isinstance(target, ExternalAccount):
        raise ValidationFailed.of("to", "OTHER_BANK", "This goes to accounts at this bank only. For another bank, use transfer.")
    return target


def payment_accounts(
    actor: Actor, source_id: UUID, to: Destination, amount: Money, state: BatchState
) -> tuple[AccountState, AccountState | ExternalAccount]:
    """Return source and target of a payment from an account that the actor may use.

    Raises:
        NotFound: the source is not visible, or there is no such target.
        Forbidden: the actor may not pay from the source.
        ValidationFailed: source and target are one account.
        CurrencyMismatch: an account is in another currency.
        AccountStatusRefused: the source is frozen or closed, or the target is closed.
    """
    source = state.visible_account(actor, source_id)
    if not state.access(actor, source_id).may_pay:
        raise Forbidden("Only the account's owners, and members with mayPay, pay from it.")
    target = to.resolve(actor, state)
    if target is source:
        raise ValidationFailed.of("to", "SAME_ACCOUNT", "A payment goes to another account than it comes from.")
    require_currency(source, amount)
    if isinstance(target, AccountState):
        require_currency(target, amount)
    state.refuse_status(source_id, AccountStatus.CLOSED, AccountStatus.FROZEN)
    return source, target


def require_proof(actor: Actor, minor: int, currency: str, state: BatchState) -> None:
    """Require a fresh proof of who pays a large amount.

    Raises:
        StepUpRequired: the amount is large, and the actor was not verified a short while ago.
    """
    if not actor.is_verified and state.is_large(minor, currency):
        raise StepUpRequired
