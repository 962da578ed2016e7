"""Transactions and their entries."""

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry
from strawberry.types.field import StrawberryField

from bank_graphql.accounts.entries import CounterpartyRow, EntryCounterparty, EntryRow, EntryTransaction
from bank_graphql.accounts.queries import TransactionRow
from bank_graphql.api.loaders import Cleared, CounterpartyKey, PaidByCard, loaded_field
from bank_graphql.api.scalars import DateTime
from bank_graphql.api.types.cards import Merchant
from bank_graphql.api.types.enums import EntryDirection, PayeeMatch, TransactionKind, TransactionStatus
from bank_graphql.api.types.money import Money
from bank_graphql.api.types.node import Node, node_id
from bank_graphql.api.types.products import InterestExplanation
from bank_graphql.api.types.sources import EntryLike, TransactionLike
from bank_graphql.cards.queries import MerchantRow
from bank_graphql.clearing.queries import ExternalPartyRow
from bank_graphql.engine.costs import Cost
from bank_graphql.engine.fields import backed_by
from bank_graphql.kit import money
from bank_graphql.kit.ids import reference
from bank_graphql.ledger.enums import Purpose
from bank_graphql.ledger.rules import TransactionState, internal_account_id

if TYPE_CHECKING:
    from bank_graphql.api.types.accounts import Account
    from bank_graphql.api.types.cards import Card

_BY_CARD = frozenset({TransactionKind.HOLD, TransactionKind.CARD_PAYMENT, TransactionKind.CARD_REFUND})


@strawberry.type(description="One side of a transaction, as the viewer may see it.")
class Counterparty:
    name: str = strawberry.field(
        description="The name of the account's owner, at this bank or another, the merchant, or the bank's internal account."
    )
    account_number: str | None = strawberry.field(
        description="The account number; except for the viewer's own, only its last four characters. Null for merchants and "
        "the bank."
    )

    is_type_of = backed_by(CounterpartyRow, EntryCounterparty, MerchantRow, ExternalPartyRow)


def _behind(kind: TransactionKind, transaction_id: UUID, account_id: UUID, currency: str) -> PaidByCard | Cleared | None:
    """Return the key of who is behind this side of a transaction, if it is the card network's or the clearing's."""
    if kind in _BY_CARD and account_id == internal_account_id(Purpose.CARD_SETTLEMENT, currency):
        return PaidByCard(transaction_id)
    if kind == TransactionKind.TRANSFER and account_id == internal_account_id(Purpose.CLEARING, currency):
        return Cleared(transaction_id)
    return None


def _side(root: TransactionLike, account_id: UUID) -> CounterpartyKey:
    """Return the key of the counterparty on one side of a transaction."""
    return _behind(root.kind, root.id, account_id, root.currency) or account_id


def _cleared(root: TransactionLike) -> UUID | None:
    """Return the id of a transaction that passes through the clearing; None of others."""
    clearing = internal_account_id(Purpose.CLEARING, root.currency)
    is_cleared = root.kind == TransactionKind.TRANSFER and clearing in {root.from_account_id, root.to_account_id}
    return root.id if is_cleared else None


def _decline_reason(root: TransactionLike, merchant: MerchantRow | None) -> str | None:
    if merchant is not None:
        return merchant.decline_reason
    return "STANDING_ORDER" if root.kind == TransactionKind.TRANSFER else None


def side(
    description: str, *, name: str | None = None, preloaded: Callable[[EntryRow], EntryCounterparty] | None = None
) -> Callable[[Callable[..., CounterpartyKey | None]], StrawberryField]:
    """Declare a field for the counterparty on one side of a transaction."""
    return loaded_field(
        lambda readers: readers.counterparty,
        description=description,
        graphql_type=Counterparty,
        name=name,
        preloaded=preloaded,
    )


@strawberry.type(description="A movement of money from one account to another, or a hold, which reserves money for one.")
class Transaction(Node):
    id: strawberry.ID = node_id("Transaction")
    kind: TransactionKind = strawberry.field(description="What kind of transaction it is.")
    status: TransactionStatus = strawberry.field(description="Its present status.")
    description: str | None = strawberry.field(description="The text that was given with it; both sides can read it.")
    created_at: DateTime = strawberry.field(description="When it was created.")
    posted_at: DateTime | None = strawberry.field(
        description="When its money moved; for a hold, when it was finally captured. Null before."
    )
    expires_at: DateTime | None = strawberry.field(description="For a hold, when it expires. Null if it does not expire.")

    is_type_of = backed_by(TransactionRow, TransactionState, EntryTransaction)

    @strawberry.field(description="The amount that it moves or reserves.", graphql_type=Money)
    @staticmethod
    def amount(root: TransactionLike) -> money.Money:
        return money.Money(root.amount, root.currency)

    @strawberry.field(description="For a hold, what was captured so far; otherwise zero.", graphql_type=Money)
    @staticmethod
    def captured_amount(root: TransactionLike) -> money.Money:
        return money.Money(root.captured, root.currency)

    @loaded_field(
        lambda readers: readers.transaction,
        description="The hold that this transaction captures, the card payment that it refunds, the payment to another bank that "
        "it returns, or for a fee, the transfer for which it was charged. Null otherwise.",
        graphql_type=Annotated["Transaction", strawberry.lazy("bank_graphql.api.types.transactions")] | None,
    )
    @staticmethod
    def parent(root: TransactionLike) -> UUID | None:
        return root.parent_id

    @loaded_field(
        lambda readers: readers.fee,
        description="The fee that the bank charged for this transfer to another bank. Null if there is none.",
        graphql_type=Annotated["Transaction", strawberry.lazy("bank_graphql.api.types.transactions")] | None,
    )
    @staticmethod
    def fee(root: TransactionLike) -> UUID | None:
        return _cleared(root)

    @loaded_field(
        lambda readers: readers.explanation,
        description="How interest came about: days, balances, rates and rounding. Null for other transactions.",
        graphql_type=InterestExplanation | None,
        directives=[Cost(weight="10")],
    )
    @staticmethod
    def explanation(root: TransactionLike) -> UUID | None:
        return root.id if root.kind == TransactionKind.INTEREST else None

    @loaded_field(
        lambda readers: readers.transaction,
        description="The transaction that this one reverses. Null if it is not a reversal.",
        graphql_type=Annotated["Transaction", strawberry.lazy("bank_graphql.api.types.transactions")] | None,
    )
    @staticmethod
    def reverses(root: TransactionLike) -> UUID | None:
        return root.reverses_id

    @loaded_field(
        lambda readers: readers.reversal,
        description="The transaction that reverses this one. Null if it was not reversed.",
        graphql_type=Annotated["Transaction", strawberry.lazy("bank_graphql.api.types.transactions")] | None,
    )
    @staticmethod
    def reversed_by(root: TransactionLike) -> UUID:
        return root.id

    @loaded_field(
        lambda readers: readers.returned_by,
        description="For a settled payment to another bank that came back, the transaction that returns it. Null otherwise.",
        graphql_type=Annotated["Transaction", strawberry.lazy("bank_graphql.api.types.transactions")] | None,
    )
    @staticmethod
    def returned_by(root: TransactionLike) -> UUID | None:
        return _cleared(root)

    @loaded_field(
        lambda readers: readers.external,
        description="For a payment to another bank, the business day on which it is to be settled, as of when it was made; "
        "`postedAt` says when it was. Null otherwise.",
        graphql_type=date | None,
        then=lambda _, found: found and found.settles_on,
    )
    @staticmethod
    def settles_on(root: TransactionLike) -> UUID | None:
        return _cleared(root)

    @loaded_field(
        lambda readers: readers.external,
        description="Why a payment to another bank came back, as a code of ISO 20022, e.g. AC04 for a closed account. It is on a "
        "VOIDED payment, and on the transaction that returns a settled one. Null otherwise.",
        graphql_type=str | None,
        then=lambda _, found: found and found.return_reason,
    )
    @staticmethod
    def return_reason(root: TransactionLike) -> UUID | None:
        return _cleared(root)

    @loaded_field(
        lambda readers: readers.external,
        description="For a payment from another bank, the reference that the other bank gave it. Null otherwise.",
        graphql_type=str | None,
        then=lambda _, found: found and found.reference,
    )
    @staticmethod
    def external_reference(root: TransactionLike) -> UUID | None:
        return _cleared(root)

    @strawberry.field(description="A unique reference for people to read and type: 26 letters and digits.")
    @staticmethod
    def reference(root: TransactionLike) -> str:
        return reference(root.id)

    @side("The payer.", name="from")
    @staticmethod
    def from_(root: TransactionLike) -> CounterpartyKey:
        return _side(root, root.from_account_id)

    @side("The payee.")
    @staticmethod
    def to(root: TransactionLike) -> CounterpartyKey:
        return _side(root, root.to_account_id)

    @loaded_field(
        lambda readers: readers.card_of_transaction,
        description="The card that it was made with. Null if there is none, or it is not visible to the viewer.",
        graphql_type=Annotated["Card", strawberry.lazy("bank_graphql.api.types.cards")] | None,
    )
    @staticmethod
    def card(root: TransactionLike) -> UUID | None:
        return root.id if root.kind in _BY_CARD else None

    @loaded_field(
        lambda readers: readers.merchant,
        description="The merchant of a card transaction. Null for other transactions.",
        graphql_type=Merchant | None,
    )
    @staticmethod
    def merchant(root: TransactionLike) -> UUID | None:
        return root.id if root.kind in _BY_CARD else None

    @loaded_field(
        lambda readers: readers.merchant,
        description="For a DECLINED authorisation, why it was declined: CARD_NOT_ACTIVE, CARD_EXPIRED, MERCHANT_BLOCKED, "
        "LIMIT_EXCEEDED, ACCOUNT_NOT_ACTIVE or INSUFFICIENT_FUNDS; for a DECLINED transfer STANDING_ORDER, and its description "
        "says why. More may be added.",
        graphql_type=str | None,
        then=_decline_reason,
    )
    @staticmethod
    def decline_reason(root: TransactionLike) -> UUID | None:
        return root.id if root.status == TransactionStatus.DECLINED else None

    @loaded_field(
        lambda readers: readers.payee_match,
        description="How the payee's name compared with that of the account's holder, if the payer had it verified. Null if not, "
        "and for the payee.",
        graphql_type=PayeeMatch | None,
        then=lambda _, found: found and PayeeMatch(found.match),
    )
    @staticmethod
    def payee_match(root: TransactionLike) -> UUID | None:
        return root.id if root.kind == TransactionKind.TRANSFER else None

    @loaded_field(
        lambda readers: readers.entries_of_transaction,
        description="Its entries on accounts that are visible to the viewer.",
        graphql_type=list[Annotated["Entry", strawberry.lazy("bank_graphql.api.types.transactions")]],
    )
    @staticmethod
    def entries(root: TransactionLike) -> UUID:
        return root.id


@strawberry.type(description="The effect of a transaction on one account.")
class Entry(Node):
    id: strawberry.ID = node_id("Entry")
    booked_at: DateTime = strawberry.field(description="When it was booked.")

    is_type_of = backed_by(EntryRow)

    @loaded_field(
        lambda readers: readers.account,
        description="The account that it changes.",
        graphql_type=Annotated["Account", strawberry.lazy("bank_graphql.api.types.accounts")],
    )
    @staticmethod
    def account(root: EntryLike) -> UUID:
        return root.account_id

    @strawberry.field(description="The transaction that it belongs to.", graphql_type=Transaction)
    @staticmethod
    def transaction(root: EntryRow) -> EntryTransaction:
        return EntryTransaction(root)

    @strawberry.field(description="Whether it adds money to the account (CREDIT) or takes it off (DEBIT).")
    @staticmethod
    def direction(root: EntryLike) -> EntryDirection:
        return EntryDirection.CREDIT if root.amount > 0 else EntryDirection.DEBIT

    @strawberry.field(description="The signed amount: negative for a debit.", graphql_type=Money)
    @staticmethod
    def amount(root: EntryLike) -> money.Money:
        return money.Money(root.amount, root.currency)

    @strawberry.field(description="The account's booked balance after this entry.", graphql_type=Money)
    @staticmethod
    def balance_after(root: EntryLike) -> money.Money:
        return money.Money(root.balance_after, root.currency)

    @side("The other side of the transaction.", preloaded=EntryCounterparty)
    @staticmethod
    def counterparty(root: EntryLike) -> PaidByCard | Cleared | None:
        if root.counterparty_account_number is not None:  # a customer's account; this runs for each entry of a page
            return None
        return _behind(root.transaction_kind, root.transaction_id, root.counterparty_account_id, root.currency)
