"""What inputs have in common: amounts, ids, idempotency keys, descriptions."""

from uuid import UUID

import strawberry

from bank_graphql.api.scalars import DecimalText
from bank_graphql.api.types.enums import CurrencyCode
from bank_graphql.kit.errors import NotFound, ValidationFailed
from bank_graphql.kit.ids import uuid_of
from bank_graphql.kit.money import Money, parse_amount, parse_positive
from bank_graphql.kit.text import check_line
from bank_graphql.payments.commands import DESCRIPTION_MAX, KEY_MAX

KEY = (
    "The idempotency key: 1 to 255 characters, new for each new request. Repeating a request with its key has no further effect."
)


DRY_RUN = "Only return what would happen, as a MoneyPreview. Nothing is written, and the key is ignored."


@strawberry.input(description="An amount in a currency.")
class MoneyInput:
    amount: DecimalText = strawberry.field(description="The amount.")
    currency: CurrencyCode = strawberry.field(description="The currency.")

    def positive(self, *path: str) -> Money:
        """Return the amount, which must be greater than zero. `path` is where it is in the input, if not at `amount`.

        Raises:
            ValidationFailed: it is not an amount of this currency, or not greater than zero.
        """
        currency = self.currency.value
        return Money(parse_positive(self.amount, currency, path=(*(path or ("amount",)), "amount")), currency)

    def any(self, *path: str) -> Money:
        """Return the amount, which may be zero or negative. `path` is where it is in the input.

        Raises:
            ValidationFailed: it is not an amount of this currency.
        """
        currency = self.currency.value
        return Money(parse_amount(self.amount, currency, path=(*path, "amount")), currency)


def transaction_id(given: str) -> UUID:
    """Return the key in a transaction's global id. Raises as `_key_in`."""
    return _key_in(given, "Transaction")


def account_id(given: str) -> UUID:
    """Return the key in an account's global id. Raises as `_key_in`."""
    return _key_in(given, "Account")


def membership_id(given: str) -> UUID:
    """Return the key in a membership's global id. Raises as `_key_in`."""
    return _key_in(given, "Membership")


def grant_id(given: str) -> UUID:
    """Return the key in an access grant's global id. Raises as `_key_in`."""
    return _key_in(given, "AccessGrant")


def approval_id(given: str) -> UUID:
    """Return the key in a proposal's global id. Raises as `_key_in`."""
    return _key_in(given, "Approval")


def passkey_id(given: str) -> UUID:
    """Return the key in a passkey's global id. Raises as `_key_in`."""
    return _key_in(given, "Passkey")


def user_id(given: str) -> UUID:
    """Return the key in a user's global id. Raises as `_key_in`."""
    return _key_in(given, "User")


def card_id(given: str) -> UUID:
    """Return the key in a card's global id. Raises as `_key_in`."""
    return _key_in(given, "Card")


def payee_id(given: str) -> UUID:
    """Return the key in a payee's global id. Raises as `_key_in`."""
    return _key_in(given, "Payee")


def product_id(given: str) -> UUID:
    """Return the key in a product's global id. Raises as `_key_in`."""
    return _key_in(given, "Product")


def schedule_id(given: str) -> UUID:
    """Return the key in a standing order's global id. Raises as `_key_in`."""
    return _key_in(given, "ScheduledTransfer")


def _key_in(given: str, kind: str) -> UUID:
    """Return the key in the global id of an object of this kind.

    Raises:
        NotFound: it is the id of another kind, or no id at all; as for the id of an object that does not exist.
    """
    key = uuid_of(given, kind)
    if key is None:
        # A client may have sent a card's number in place of its id: it is not repeated.
        raise NotFound(kind.lower(), None if kind == "Card" else given[:200])
    return key


def check_key(key: str) -> str:
    """Return the idempotency key, if it is valid.

    Raises:
        ValidationFailed: `REQUIRED`, `TOO_LONG`, `INVALID`.
    """
    if not key:
        raise ValidationFailed.of("idempotencyKey", "REQUIRED", "An idempotency key is needed.")
    if "\0" in key:
        raise ValidationFailed.of("idempotencyKey", "INVALID", "An idempotency key has no character NUL.")
    if len(key) > KEY_MAX:
        raise ValidationFailed.of("idempotencyKey", "TOO_LONG", f"An idempotency key has at most {KEY_MAX} characters.")
    return key


def check_description(text: str | None, field: str = "description") -> str | None:
    """Return the normalised description, or None if there is none.

    Raises:
        ValidationFailed: `TOO_LONG`, `INVALID`.
    """
    return check_line(text, f"A {field}", (field,), DESCRIPTION_MAX)
