"""Fills an empty bank with demo customers, accounts and some history, through the same services as requests use."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col

from bank_graphql.accounts.enums import AccountKind
from bank_graphql.cards.enums import CardForm, CardKind, LimitWindow
from bank_graphql.cards.rules import Merchant
from bank_graphql.identity.enums import UserRole
from bank_graphql.identity.models import User
from bank_graphql.identity.permissions import PERMISSIONS
from bank_graphql.identity.queries import SIGN_IN
from bank_graphql.identity.service import Identity
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.db import Database
from bank_graphql.kit.errors import Refusal, ValidationFailed
from bank_graphql.kit.money import Money
from bank_graphql.kit.statements import Query, Row
from bank_graphql.payments.commands import (
    AuthorizeCard,
    CaptureHold,
    Command,
    Deposit,
    Destination,
    IssueCard,
    OpenAccount,
    Transfer,
    Withdraw,
)
from bank_graphql.payments.groups import Group
from bank_graphql.payments.outcomes import Issued, Moved, Opened, Outcome
from bank_graphql.payments.service import BANK
from bank_graphql.products.enums import DayCount
from bank_graphql.products.rules import Terms, Tier, parse_rate
from bank_graphql.products.service import NewProduct, Products

PASSWORD = "demo bank 2026"  # noqa: S105 - printed for everyone to see, and only on a sandbox
CUSTOMERS = (("ada@example.com", "Ada Lovelace"), ("grace@example.com", "Grace Hopper"))
TELLER = ("teller@example.com", "Tessa Teller")

Execute = Callable[[Group], Awaitable[list[Outcome]]]


_BANK = Actor(BANK.user_id, None, PERMISSIONS[UserRole.ADMIN])


class _KeyRow(Row):
    email_key: str


_SOME_USERS = Query(select(col(User.email_key)).limit(len(CUSTOMERS) + 1), _KeyRow)


async def is_incomplete(db: Database) -> bool:
    """Return whether the bank is empty, or holds only a part of the demo, because filling it was interrupted.

    The teller is created last, so a bank with a teller has the whole demo.
    """
    return {row.email_key for row in await db.fetch(_SOME_USERS)} <= {email for email, _ in CUSTOMERS}


async def fill(db: Database, identity: Identity, products: Products, execute: Execute) -> None:
    """Create products that bear interest, two customers with accounts in several currencies and some history, and a teller.

    Each step has an idempotency key, so a run after an interrupted one makes nothing twice.
    """
    for product in _products(products.today):
        with suppress(ValidationFailed):  # it is there already
            await products.create(_BANK, product)
    ada, grace = [await _user(db, identity, email, name, UserRole.CUSTOMER) for email, name in CUSTOMERS]
    checking = await _open(execute, ada, AccountKind.CHECKING, "EUR", "Everyday", 250_000)
    savings = await _open(execute, ada, AccountKind.SAVINGS, "EUR", "Rainy days", 1_000_000)
    await _open(execute, ada, AccountKind.CHECKING, "JPY", "Travel", 120_000)
    hers = await _open(execute, grace, AccountKind.CHECKING, "EUR", "Everyday", 180_050)
    await _open(execute, grace, AccountKind.CREDIT, "USD", "Credit", None)
    history: list[tuple[Actor, UUID, UUID | None, int, str | None]] = [
        (ada, checking, hers, 4_250, "Dinner on Friday"),
        (grace, hers, checking, 12_000, "Concert tickets"),
        (ada, checking, savings, 30_000, "Savings"),
        (ada, checking, None, 8_000, "Cash machine"),
        (grace, hers, checking, 1_999, "Book"),
        (ada, savings, checking, 5_000, None),
    ]
    for number, (payer, source, target, minor, description) in enumerate(history):
        amount, key = Money(minor, "EUR"), f"demo-{number}"
        if target is None:
            await _execute(execute, Withdraw(actor=payer, key=key, account_id=source, amount=amount, description=description))
        else:
            to = Destination(account_id=target)
            await _execute(
                execute,
                Transfer(actor=payer, key=key, from_account_id=source, to=to, amount=amount, description=description),
            )
    await _pay_by_card(execute, ada, checking)
    await _execute(
        execute,
        Deposit(actor=ada, key="demo-wages", account_id=checking, amount=Money(310_000, "EUR"), description="Wages"),
    )
    await _user(db, identity, *TELLER, UserRole.TELLER)


def _products(today: date) -> tuple[NewProduct, ...]:
    """Return what accounts earn and cost: only interest, so that the demo's balances stay as they are for a day."""
    saving = Terms(today, credit=(Tier(0, parse_rate("2", ())), Tier(1_000_000, parse_rate("1", ()))))
    credit = Terms(today, debit=(Tier(0, parse_rate("14.9", ())),))
    dated: Any = {"day_count": DayCount.ACT_365F, "default_from": today}
    return (
        NewProduct(name="Savings", kind=AccountKind.SAVINGS, currency="EUR", terms=saving, **dated),
        NewProduct(name="Credit", kind=AccountKind.CREDIT, currency="USD", terms=credit, **dated),
    )


async def _pay_by_card(execute: Execute, holder: Actor, account: UUID) -> None:
    """Issue a card with a limit, and pay a lunch with it."""
    limits = ((LimitWindow.DAY, Money(50_000, "EUR")),)
    issue = IssueCard(
        actor=holder, key="demo-card", account_id=account, kind=CardKind.DEBIT, form=CardForm.VIRTUAL, limits=limits
    )
    issued = await _execute(execute, issue)
    if not isinstance(issued, Issued):
        raise TypeError(type(issued))
    lunch = Merchant("Café Central", "5812", "AT")
    amount = Money(1_840, "EUR")
    ask = AuthorizeCard(actor=holder, key="demo-lunch", card_id=issued.card_id, amount=amount, merchant=lunch)
    hold = await _execute(execute, ask)
    if not isinstance(hold, Moved):
        raise TypeError(type(hold))
    await _execute(execute, CaptureHold(actor=holder, key="demo-lunch-capture", transaction_id=hold.transaction_id))


async def _user(db: Database, identity: Identity, email: str, name: str, role: UserRole) -> Actor:
    found = await db.fetch_one(SIGN_IN, email_key=email)
    user_id = found.id if found else await identity.create_user(email=email, password=PASSWORD, full_name=name, role=role)
    return Actor(user_id, None, PERMISSIONS[role])


async def _open(execute: Execute, owner: Actor, kind: AccountKind, currency: str, name: str, deposit: int | None) -> UUID:
    key = f"demo-{kind}-{currency}"
    command = OpenAccount(actor=owner, key=key, kind=kind, currency=currency, name=name, opening_deposit=deposit)
    outcome = await _execute(execute, command)
    if not isinstance(outcome, Opened):
        raise TypeError(type(outcome))
    return outcome.account_id


async def _execute(execute: Execute, command: Command) -> Outcome:
    [outcome] = await execute(Group((command,)))
    if isinstance(outcome, Refusal):
        raise outcome
    return outcome
