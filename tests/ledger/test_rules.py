"""The ledger's rules: postings conserve money and never take a balance below its floor."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bank_graphql.kit.errors import ValidationFailed
from bank_graphql.kit.money import Money
from bank_graphql.ledger.enums import Purpose, TransactionKind
from bank_graphql.ledger.errors import InsufficientFunds
from bank_graphql.ledger.rules import MAX_BALANCE, AccountState, LedgerState, internal_account_id

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def state(number: int, booked: int = 0, overdraft_limit: int = 0, held: int = 0) -> AccountState:
    return AccountState(UUID(int=number), "EUR", None, booked, held, overdraft_limit, NOW)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(1, 100)), max_size=60),
    st.lists(st.integers(0, 120), min_size=3, max_size=3),
    st.lists(st.integers(0, 50), min_size=3, max_size=3),
)
def test_postings_conserve_money_respect_floors_and_chain_balances(
    transfers: list[tuple[int, int, int]], booked: list[int], limits: list[int]
) -> None:
    ledger = LedgerState(state(n + 1, booked[n], limits[n]) for n in range(3))
    cash = ledger.internal_account(Purpose.CASH, "EUR", NOW)
    accounts = [*(ledger.accounts[UUID(int=n + 1)] for n in range(3)), cash]
    for source, target, minor in transfers:
        if source == target:
            continue
        before = [account.booked for account in accounts]
        try:
            ledger.post(TransactionKind.TRANSFER, accounts[source], accounts[target], Money(minor, "EUR"), None, NOW)
        except InsufficientFunds as refused:
            assert refused.available.minor < minor
            assert [account.booked for account in accounts] == before
        assert sum(account.booked for account in accounts) == sum(booked)
        assert all(account.available >= 0 for account in accounts[:3])
    running = {account.account_id: start for account, start in zip(accounts, [*booked, 0], strict=True)}
    for entry in ledger.new_entries:
        running[entry.account_id] += entry.amount
        assert entry.balance_after == running[entry.account_id]
    assert running == {account.account_id: account.booked for account in accounts}


def test_held_money_is_not_available_and_an_overdraft_is() -> None:
    ledger = LedgerState([state(1, booked=100, held=30, overdraft_limit=5), state(2)])
    one, two = ledger.accounts.values()
    with pytest.raises(InsufficientFunds):
        ledger.post(TransactionKind.TRANSFER, one, two, Money(76, "EUR"), None, NOW)
    ledger.post(TransactionKind.TRANSFER, one, two, Money(75, "EUR"), None, NOW)
    assert (one.booked, one.available) == (25, 0)


def test_a_transaction_is_never_posted_before_the_accounts_last_entry() -> None:
    ledger = LedgerState([state(1, booked=10), state(2)])
    one, two = ledger.accounts.values()
    two.changed_at = NOW + timedelta(seconds=5)
    assert ledger.post(TransactionKind.TRANSFER, one, two, Money(1, "EUR"), None, NOW).posted_at == NOW + timedelta(seconds=5)
    assert one.changed_at == two.changed_at


def test_a_balance_beyond_the_maximum_is_refused() -> None:
    ledger = LedgerState([state(1, booked=MAX_BALANCE - 1)])
    cash = ledger.internal_account(Purpose.CASH, "EUR", NOW)
    with pytest.raises(ValidationFailed):
        ledger.post(TransactionKind.DEPOSIT, cash, ledger.accounts[UUID(int=1)], Money(2, "EUR"), None, NOW)
    cash.booked = -MAX_BALANCE
    ledger.accounts[UUID(int=1)].booked = 0
    with pytest.raises(ValidationFailed):
        ledger.post(TransactionKind.DEPOSIT, cash, ledger.accounts[UUID(int=1)], Money(1, "EUR"), None, NOW)


def test_internal_accounts_have_one_id_for_each_purpose_and_currency() -> None:
    assert internal_account_id(Purpose.CASH, "EUR") == internal_account_id(Purpose.CASH, "EUR")
    assert internal_account_id(Purpose.CASH, "EUR") != internal_account_id(Purpose.CASH, "USD")
