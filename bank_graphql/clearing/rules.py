"""Return reasons, business days, and what is known of payments that pass through the clearing. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import holidays

from bank_graphql.clearing.enums import SandboxNumber
from bank_graphql.kit import text as text_rules
from bank_graphql.kit.errors import ValidationFailed
from bank_graphql.kit.iban import bank_of, check_iban
from bank_graphql.kit.money import Money

NAME_MAX = 140
"""How long the name of an account's holder may be: as long as ISO 20022 allows."""
DESCRIPTION_MAX = 140
"""How long the description of a payment to another bank may be: as long as the SEPA rulebooks allow."""
REFERENCE_MAX = 35
"""How long the reference of a payment from another bank may be: as long as ISO 20022 allows."""
LATE_DAYS = 2
"""By how many business days a payment to `SandboxNumber.LATE` is settled later."""
RETURN_REASONS = {
    "AC01": "The account number is wrong.",
    "AC04": "The account is closed.",
    "AC06": "The account is blocked.",
    "AC13": "The account's kind is wrong for this payment.",
    "AG01": "Payments to this account are not allowed.",
    "AG02": "The payment's code is wrong.",
    "AM05": "The payment was sent twice.",
    "ARDT": "The payment was returned already.",
    "BE04": "The payee's address is missing.",
    "BE05": "The payer is not known to the payee.",
    "CNOR": "The payee's bank is not registered for this payment.",
    "CURR": "The currency is wrong.",
    "CUST": "The payer asked for it.",
    "DNOR": "The payer's bank is not registered for this payment.",
    "DUPL": "The payment was sent twice.",
    "ED05": "The settlement failed.",
    "FOCR": "The payer's bank asked for it.",
    "FR01": "It is a fraud.",
    "FRAD": "The payer says that it is a fraud.",
    "MD07": "The payee has died.",
    "MS02": "The payee refuses it.",
    "MS03": "The payee's bank gives no reason.",
    "NARR": "There is another reason.",
    "RC01": "The bank's code is wrong.",
    "RC07": "The payee's bank is not known.",
    "RR01": "The payer's account number is missing.",
    "RR02": "The payer's name or address is missing.",
    "RR03": "The payee's name or address is missing.",
    "RR04": "A rule of the authorities forbids it.",
    "TECH": "It failed for a technical reason.",
}
"""Reasons for which a payment is returned, by their codes: of ISO 20022's external code set of return reasons, those that credit
transfers have."""
FAILS_FOR, RETURNS_FOR = "AC04", "AC06"
"""Why payments to `SandboxNumber.FAILS` and `SandboxNumber.RETURNS` come back."""


@dataclass(frozen=True, slots=True)
class ExternalAccount:
    """An account at another bank: its number, and the name of its holder."""

    number: str
    name: str

    @property
    def bank(self) -> str:
        """The bank that keeps it."""
        return bank_of(self.number)


@dataclass(slots=True)
class ExternalPayment:
    """What is known of a payment through the clearing, beside its transaction: a working copy.

    Attributes:
        transaction_id: the transaction.
        account: the account at the other bank.
        end_to_end_id: what the payer named a payment that leaves, for the payee; None if the payer did not.
        settles_on: for a payment that leaves, the business day on which it is settled.
        clears_at: in a sandbox, when the clearing acts on it next; None if it does not.
        reference: for a payment that arrives, the reference that the other bank gave it.
        returned_id: for a return of a settled payment, that payment.
        return_reason: the code of the reason, if it came back or is a return.
        is_returned: whether another transaction returns it.
        payer_id: for a return, the user who made the payment that came back.
    """

    transaction_id: UUID
    account: ExternalAccount
    end_to_end_id: str | None = None
    settles_on: date | None = None
    clears_at: datetime | None = None
    reference: str | None = None
    returned_id: UUID | None = None
    return_reason: str | None = None
    is_returned: bool = False
    payer_id: UUID | None = None


class Received(NamedTuple):
    """A payment that arrived: its transaction, and what another one with its reference must equal."""

    transaction_id: UUID
    account_id: UUID
    amount: Money
    sender: ExternalAccount


class BusinessDays:
    """The days on which payments are settled: those of TARGET2, the euro's settlement system.

    Args:
        zone: the bank's time zone.
        cut_off: until when, on a business day, a payment is settled on that day.
    """

    def __init__(self, zone: ZoneInfo, cut_off: time) -> None:
        self._zone = zone
        self._cut_off = cut_off
        self._calendar = holidays.financial_holidays("ECB")

    def settlement_day(self, now: datetime) -> date:
        """Return the day on which a payment is settled that is made now."""
        local = now.astimezone(self._zone)
        is_early = local.time() < self._cut_off
        return self.later(local.date(), 0) if is_early else self.later(local.date(), 1)

    def later(self, day: date, days: int) -> date:
        """Return the business day that comes this many business days after a day; for zero the day itself, if it is one."""
        return self._calendar.get_nth_working_day(day, days)

    def nearest(self, day: date, *, backwards: bool) -> date:
        """Return a day if it is a business day; otherwise the next one, or with `backwards` the one before it."""
        if not backwards:
            return self.later(day, 0)
        while not self._calendar.is_working_day(day):
            day -= timedelta(days=1)
        return day

    def cut_off_of(self, day: date) -> datetime:
        """Return the cut-off of a day."""
        return datetime.combine(day, self._cut_off, self._zone).astimezone(UTC)

    def day_of(self, now: datetime) -> date:
        """Return the present day in the bank's time zone."""
        return now.astimezone(self._zone).date()


@dataclass(frozen=True, slots=True)
class ClearingPolicy:
    """How the bank clears payments.

    Attributes:
        days: when payments are settled.
        is_own_number: whether an account number is one of this bank's.
    """

    days: BusinessDays
    is_own_number: Callable[[str], bool]

    def first_clears_at(self, account: ExternalAccount, settles_on: date) -> datetime:
        """Return when the sandbox's clearing first acts on a payment."""
        days = LATE_DAYS if account.number == SandboxNumber.LATE else 0
        return self.days.cut_off_of(self.days.later(settles_on, days))

    def returns_at(self, account: ExternalAccount, now: datetime) -> datetime | None:
        """Return when the sandbox's clearing returns a payment that is settled now; None if it does not."""
        if account.number != SandboxNumber.RETURNS:
            return None
        return self.days.cut_off_of(self.days.later(self.days.day_of(now), 1))


def check_account(number: str, name: str, number_path: tuple[str, ...], name_path: tuple[str, ...]) -> ExternalAccount:
    """Return an account at another bank; the paths are where its number and its name are in the input.

    Raises:
        ValidationFailed: the number is no IBAN; the name is `REQUIRED`, `TOO_LONG` or `INVALID`.
    """
    return ExternalAccount(check_iban(number, *number_path), text_rules.check_name(name, "A name", name_path, NAME_MAX))


def check_return_reason(code: str) -> str:
    """Return the code of a return reason.

    Raises:
        ValidationFailed: `UNKNOWN`.
    """
    if code not in RETURN_REASONS:
        message = f"A reason is a code of ISO 20022, one of {', '.join(RETURN_REASONS)}."
        raise ValidationFailed.of("reason", "UNKNOWN", message)
    return code


def check_reference(text: str) -> str:
    """Return the reference of a payment from another bank.

    Raises:
        ValidationFailed: `REQUIRED`, `TOO_LONG`, `INVALID`.
    """
    reference = text_rules.check_line(text, "A reference", ("reference",), REFERENCE_MAX)
    if not reference:
        raise ValidationFailed.of("reference", "REQUIRED", "The reference of the payment is needed: the other bank gives it.")
    return reference
