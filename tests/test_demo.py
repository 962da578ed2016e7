"""The demo: it is complete in the end, however often filling it is interrupted."""

import pytest

from bank_graphql import demo
from bank_graphql.bank import Bank
from bank_graphql.identity.enums import UserRole
from bank_graphql.payments.groups import Group
from bank_graphql.payments.outcomes import Outcome
from tests.client import PASSWORD


@pytest.mark.parametrize("interrupted_before", [(0,), (1,), (5,), (9, 3), (13,), (100,)])
async def test_an_interrupted_demo_is_completed_by_the_next_start(bank: Bank, interrupted_before: tuple[int, ...]) -> None:
    for steps in interrupted_before:
        remaining = steps

        async def execute(group: Group) -> list[Outcome]:
            nonlocal remaining
            if not remaining:
                raise KeyboardInterrupt
            remaining -= 1
            return await bank.execute(group)

        assert await demo.is_incomplete(bank.db)
        if steps < 100:
            with pytest.raises(KeyboardInterrupt):
                await demo.fill(bank.db, bank.people.identity, bank.products, execute)
    if await demo.is_incomplete(bank.db):
        await demo.fill(bank.db, bank.people.identity, bank.products, bank.execute)
    assert not await demo.is_incomplete(bank.db)
    async with bank.db.connection() as connection:
        found = await connection.raw.fetch(
            "SELECT currency, booked FROM balances WHERE purpose IS NULL ORDER BY currency, booked"
        )
    assert [tuple(each) for each in found] == [
        ("EUR", 170_301), ("EUR", 534_909), ("EUR", 1_025_000), ("JPY", 120_000), ("USD", 0),
    ]  # fmt: skip


async def test_a_bank_with_users_of_its_own_gets_no_demo(bank: Bank) -> None:
    await bank.people.identity.create_user(email="x@bank.test", password=PASSWORD, full_name="X", role=UserRole.CUSTOMER)
    assert not await demo.is_incomplete(bank.db)
