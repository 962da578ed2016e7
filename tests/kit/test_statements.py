"""Statements: their arguments, and several that run as one."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import BigInteger, DateTime, Label, Uuid, bindparam, literal_column, select, text, update
from sqlmodel import col

from bank_graphql.audit.models import AuditEvent
from bank_graphql.kit.db import Database
from bank_graphql.kit.statements import Insert, Query, Row, Update, Writes
from bank_graphql.ledger.models import Balance

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
BALANCES = Insert(Balance, "account_id", "currency", "purpose", "booked", "held", "overdraft_limit", "updated_at")
AUDIT = Insert(AuditEvent, "at", "action", "outcome")
SET_BOOKED = Query(
    update(Balance)
    .where(col(Balance.account_id) == bindparam("account", type_=Uuid()))
    .values(booked=bindparam("amount", type_=BigInteger())),
    Row,
)


@pytest.mark.parametrize(
    ("name", "given"),
    [("amount", Decimal("1.5")), ("amount", True), ("amount", 1.0), ("at", datetime(2026, 1, 1)), ("at", "2026-01-01")],  # noqa: DTZ001
)
def test_values_that_the_driver_would_misread_are_refused(name: str, given: Any) -> None:
    kinds: dict[str, Any] = {"amount": BigInteger(), "at": DateTime(timezone=True)}
    query = Query(select(bindparam(name, type_=kinds[name]).label("it")), Row)
    with pytest.raises(TypeError, match=name):
        query.arguments({name: given})


def test_only_parameters_are_numbered() -> None:
    number = bindparam("number", type_=BigInteger())
    fixed: Label[object] = literal_column("'5 % of $1, %(number)s'").label("fixed")
    query = Query(select(fixed, (number % 2).label("odd"), number.label("number")), Row)
    assert query.sql == "SELECT '5 % of $1, %(number)s' AS fixed, $1::BIGINT % $2::BIGINT AS odd, $1::BIGINT AS number"
    assert query.numbered(8) == "SELECT '5 % of $1, %(number)s' AS fixed, $9::BIGINT % $10::BIGINT AS odd, $9::BIGINT AS number"
    query = Query(text("SELECT '5 % of $1, %(number)s', :number % 2"), Row)
    assert query.sql == "SELECT '5 % of $1, %(number)s', $1 % 2"
    assert query.numbered(8) == "SELECT '5 % of $1, %(number)s', $9 % 2"


async def test_several_statements_run_as_one(db: Database, raw: "asyncpg.Connection[asyncpg.Record]") -> None:
    first, second = uuid4(), uuid4()
    await _insert(db, first)
    writes = Writes()
    writes.insert(AUDIT, [(NOW, "a", "DONE"), (NOW, "b", "DONE")])
    writes.insert(BALANCES, [(second, "EUR", None, 0, 0, 0, NOW)])
    writes.insert(AUDIT, [])
    writes.add(SET_BOOKED, account=first, amount=7)
    assert writes.statement is not None
    assert writes.statement[0].startswith("WITH ")
    await db.transact(lambda connection: connection.write(writes))
    assert await raw.fetchval("SELECT array_agg(action ORDER BY id) FROM audit_events") == ["a", "b"]
    assert await raw.fetchval("SELECT array_agg(booked ORDER BY booked) FROM balances") == [0, 7]


async def test_a_value_shared_by_all_rows_is_passed_once(db: Database, raw: "asyncpg.Connection[asyncpg.Record]") -> None:
    later = NOW + timedelta(hours=1)
    insert = Insert(AuditEvent, "at", "action", "outcome", shared=["at", "outcome"])
    change = Update(Balance, "account_id", "booked", "updated_at", shared=["updated_at"])
    first, second = uuid4(), uuid4()
    await _insert(db, first)
    await _insert(db, second)
    for is_shared, times in ((True, (NOW, NOW)), (False, (NOW, later))):
        _, arguments = insert.bind([(at, "a", "DONE") for at in times])
        assert (arguments["at"], arguments["outcome"]) == ((NOW, "DONE") if is_shared else ([NOW, later], ["DONE", "DONE"]))
        writes = Writes()
        writes.insert(insert, [(times[0], "a", "DONE"), (times[1], "b", "DONE")])
        writes.update(change, [(first, 1, times[0]), (second, 2, times[1])])
        await db.transact(lambda connection, writes=writes: connection.write(writes))  # type: ignore[misc]
        written = await raw.fetch("SELECT at, action, outcome FROM audit_events ORDER BY id DESC LIMIT 2")
        assert [tuple(row) for row in written] == [(times[1], "b", "DONE"), (times[0], "a", "DONE")]
        changed = await raw.fetch("SELECT booked, updated_at FROM balances ORDER BY booked")
        assert [tuple(row) for row in changed] == [(1, times[0]), (2, times[1])]


async def test_if_one_statement_fails_none_has_an_effect(db: Database, raw: "asyncpg.Connection[asyncpg.Record]") -> None:
    first = uuid4()
    await _insert(db, first)
    writes = Writes()
    writes.add(SET_BOOKED, account=first, amount=7)
    writes.insert(BALANCES, [(first, "EUR", None, 0, 0, 0, NOW)])
    with pytest.raises(asyncpg.UniqueViolationError):
        await db.transact(lambda connection: connection.write(writes))
    assert await raw.fetchval("SELECT booked FROM balances") == 0


async def test_writes_without_statements_do_nothing(db: Database) -> None:
    assert Writes().statement is None
    await db.transact(lambda connection: connection.write(Writes()))


async def _insert(db: Database, account: Any) -> None:
    await db.transact(lambda connection: connection.insert(BALANCES, [(account, "EUR", None, 0, 0, 0, NOW)]))
