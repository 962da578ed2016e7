"""The audit is sealed, and whatever is changed afterwards is found."""

import asyncio
import hashlib
import random
from collections.abc import Callable
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from bank_graphql.audit import chain, sealing
from bank_graphql.audit import service as audit
from bank_graphql.audit.checkpoints import Checkpoint
from bank_graphql.audit.verification import AuditChain, ExportedHeads
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.ids import new_id
from bank_graphql.kit.statements import Query

Raw = asyncpg.Connection
EVENTS = 300


async def write(db: Database, count: int) -> None:
    """Write events of all shapes."""
    for number in range(count):
        record = audit.Record(
            actor_id=new_id() if number % 3 else None,
            action=("logIn", "transfer", "freezeCard")[number % 3],
            subject_id=new_id() if number % 2 else None,
            outcome="DONE" if number % 5 else "Forbidden",
            ip_address="192.0.2.1" if number % 4 else None,
            request_id=f"request-{number}" if number % 7 else None,
        )
        await db.transact(lambda connection, record=record: audit.write(connection, [record]))  # type: ignore[misc]


async def problem(db: Database, *checkpoints: Checkpoint) -> str | None:
    """Return what the verification of the audit finds."""
    findings = [await db.snapshot(check.examine) for check in (AuditChain(), ExportedHeads(checkpoints))]
    return next((finding.first_problem for finding in findings if not finding.ok), None)


@pytest.fixture
async def sealed(db: Database, raw: Raw) -> Database:
    """An audit of some seals, which can be tampered with."""
    for _ in range(6):
        await write(db, EVENTS // 6)
        assert await sealing.seal_events(db) == EVENTS // 6
    await raw.execute("ALTER TABLE audit_events DISABLE TRIGGER ALL; ALTER TABLE audit_seals DISABLE TRIGGER ALL")
    assert await problem(db) is None
    return db


async def test_sealing_covers_everything_once(db: Database, raw: Raw) -> None:
    assert await sealing.seal_events(db) == 0
    await write(db, 30)
    assert sum(await asyncio.gather(*(sealing.seal_events(db) for _ in range(4)))) == 30
    assert await sealing.seal_events(db) == 0
    seals = await raw.fetch("SELECT * FROM audit_seals ORDER BY last_sequence")
    assert seals[-1]["last_sequence"] == 30
    assert seals[-1]["last_event_id"] == await raw.fetchval("SELECT max(id) FROM audit_events")
    finding = await db.snapshot(AuditChain().examine)
    assert (finding.examined, finding.first_problem) == (30, None)


async def test_a_backlog_is_sealed_in_several_runs(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "SEAL_MAX", 10)
    await write(db, 45)
    assert [await sealing.seal_events(db, 2) for _ in range(4)] == [20, 20, 5, 0]
    assert await problem(db) is None


async def test_what_is_committed_late_is_sealed_too(db: Database, raw: Raw) -> None:
    """An event with a lower id may be committed after one with a higher id. No seal passes it."""
    await write(db, 1)
    late = raw.transaction()
    await late.start()
    await raw.execute("INSERT INTO audit_events (at, action, outcome) VALUES (now(), 'late', 'DONE')")
    await write(db, 2)
    sealing_now = asyncio.create_task(sealing.seal_events(db))
    done, _ = await asyncio.wait([sealing_now], timeout=0.2)
    assert not done
    await late.commit()
    assert await sealing_now == 4
    assert await problem(db) is None


async def test_a_writer_that_does_not_end_holds_up_the_seal_alone(
    db: Database, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "_POLLS", 3)
    late = raw.transaction()
    await late.start()
    await raw.execute("INSERT INTO audit_events (at, action, outcome) VALUES (now(), 'late', 'DONE')")
    await write(db, 2)
    with pytest.raises(sealing.SealingDelayedError):
        await sealing.seal_events(db)
    await late.rollback()
    assert await sealing.seal_events(db) == 2  # the sequence has no gap where the ids have one
    assert await problem(db) is None


async def test_gaps_of_ids_are_no_gaps_of_the_sequence(db: Database, raw: Raw) -> None:
    for _ in range(3):
        await write(db, 2)
        with pytest.raises(asyncpg.NotNullViolationError):
            await raw.execute("INSERT INTO audit_events (at, action) VALUES (now(), 'none')")
        await sealing.seal_events(db)
    assert await raw.fetchval("SELECT max(last_sequence) FROM audit_seals") == 6
    assert await raw.fetchval("SELECT max(id) FROM audit_events") == 8
    assert await problem(db) is None


Tampering = Callable[[random.Random, Raw], Any]


async def edit_event(source: random.Random, raw: Raw) -> str:
    column, value = source.choice(
        [
            ("at", "at + interval '1 microsecond'"),
            ("at", "'infinity'"),
            ("at", "'-infinity'"),
            ("at", "'0100-01-01 BC'"),
            ("at", "'20000-01-01'"), ("actor_id", "gen_random_uuid()"), ("action", "action || 's'"),
            ("subject_id", "gen_random_uuid()"), ("outcome", "CASE outcome WHEN 'DONE' THEN 'Forbidden' ELSE 'DONE' END"),
            ("ip_address", "'203.0.113.9'"), ("request_id", "coalesce(request_id, '') || 'x'"), ("detail", "'ADMIN'"),
            ("actor_id", "CASE WHEN actor_id IS NULL THEN gen_random_uuid() END"), ("subject_id", "CASE WHEN subject_id IS NULL THEN gen_random_uuid() END"),
        ]
    )  # fmt: skip
    await raw.execute(f"UPDATE audit_events SET {column} = {value} WHERE id = $1", source.randint(1, EVENTS))
    return f"{column} = {value}"


async def swap_columns(source: random.Random, raw: Raw) -> str:
    await raw.execute(
        "UPDATE audit_events SET actor_id = subject_id, subject_id = actor_id WHERE id = "
        "(SELECT id FROM audit_events WHERE actor_id IS DISTINCT FROM subject_id AND id >= $1 ORDER BY id LIMIT 1)",
        source.randint(1, EVENTS - 5),
    )
    return "swap columns"


async def delete_event(source: random.Random, raw: Raw) -> str:
    await raw.execute("DELETE FROM audit_events WHERE id = $1", source.randint(1, EVENTS))
    return "delete"


async def swap_events(source: random.Random, raw: Raw) -> str:
    one, two = source.sample(range(1, EVENTS + 1), 2)
    await raw.execute(
        "UPDATE audit_events e SET (at, actor_id, action, subject_id, outcome, ip_address, request_id) = "
        "(SELECT at, actor_id, action, subject_id, outcome, ip_address, request_id FROM audit_events o WHERE o.id = $1 + $2 - e.id) "
        "WHERE id IN ($1, $2)",
        one,
        two,
    )
    return f"swap {one} and {two}"


async def insert_event(source: random.Random, raw: Raw) -> str:
    free = source.randint(1, EVENTS)
    await raw.execute("DELETE FROM audit_events WHERE id = $1", free)
    await raw.execute(
        "INSERT INTO audit_events (id, at, action, outcome) OVERRIDING SYSTEM VALUE VALUES ($1, now(), 'logIn', 'DONE')", free
    )
    return f"replace {free}"


async def insert_before(source: random.Random, raw: Raw) -> str:
    first = source.choice([-1, 0, -(2**63)])
    await raw.execute(
        "INSERT INTO audit_events (id, at, action, outcome) OVERRIDING SYSTEM VALUE VALUES ($1, now(), 'x', 'DONE')", first
    )
    return f"insert {first}"


async def insert_seal(source: random.Random, raw: Raw) -> str:
    first = source.choice([0, -7, -(2**63), 1])
    await raw.execute("INSERT INTO audit_seals VALUES ($1, 0, '', now())", first)
    return f"insert seal {first}"


async def edit_seal(source: random.Random, raw: Raw) -> str:
    change = source.choice(
        ["last_sequence = last_sequence + 1", "last_event_id = last_event_id - 1", "head = sha256(head)",
         "sealed_at = sealed_at + interval '1 microsecond'", "sealed_at = '20000-01-01'"]
    )  # fmt: skip
    chosen = source.randint(0, 5)
    await raw.execute(
        f"UPDATE audit_seals SET {change} WHERE last_sequence = (SELECT last_sequence FROM audit_seals ORDER BY 1 OFFSET $1 LIMIT 1)",
        chosen,
    )
    return f"{change} of {chosen}"


async def delete_seal(source: random.Random, raw: Raw) -> str:
    chosen = source.randint(0, 4)
    await raw.execute(
        "DELETE FROM audit_seals WHERE last_sequence = (SELECT last_sequence FROM audit_seals ORDER BY 1 OFFSET $1 LIMIT 1)",
        chosen,
    )
    return f"delete seal {chosen}"


async def truncate_events(source: random.Random, raw: Raw) -> str:
    await raw.execute("DELETE FROM audit_events WHERE id > $1", EVENTS - source.randint(1, EVENTS))
    return "truncate"


TAMPERINGS: list[Tampering] = [
    edit_event, edit_event, edit_event, insert_seal, swap_columns, delete_event, swap_events, insert_event, insert_before, edit_seal, delete_seal,
    truncate_events,
]  # fmt: skip


@pytest.mark.parametrize("times", [60, pytest.param(1000, marks=pytest.mark.deep)])
async def test_every_tampering_is_found(sealed: Database, raw: Raw, times: int) -> None:
    source = random.Random(times)
    for _ in range(times):
        transaction = raw.transaction()
        await transaction.start()
        before = (
            await raw.fetch("SELECT e::text FROM audit_events e ORDER BY id"),
            await raw.fetch("SELECT s::text FROM audit_seals s ORDER BY last_sequence"),
        )
        try:
            what = await source.choice(TAMPERINGS)(source, raw)
        except asyncpg.UniqueViolationError:  # a seal of this sequence is there
            await transaction.rollback()
            continue
        after = (
            await raw.fetch("SELECT e::text FROM audit_events e ORDER BY id"),
            await raw.fetch("SELECT s::text FROM audit_seals s ORDER BY last_sequence"),
        )
        examined = await examine_in(raw)
        await transaction.rollback()
        assert (examined is None) == (before == after), what


async def examine_in(raw: Raw, *checkpoints: Checkpoint) -> str | None:
    """Verify the audit as this connection sees it, within its transaction."""
    connection = Connection(raw, is_in_transaction=True)  # type: ignore[arg-type]
    findings = [await check.examine(connection) for check in (AuditChain(), ExportedHeads(checkpoints))]
    return next((finding.first_problem for finding in findings if not finding.ok), None)


async def test_an_exported_head_shows_what_the_database_alone_cannot(sealed: Database, raw: Raw) -> None:
    latest = await sealing.latest_seal(sealed)
    assert latest is not None
    exported = Checkpoint(latest.last_sequence, latest.head)
    earlier = await raw.fetchrow("SELECT * FROM audit_seals ORDER BY 1 LIMIT 1")
    assert earlier is not None
    first = Checkpoint(earlier["last_sequence"], earlier["head"])
    assert await problem(sealed, first, exported, exported) is None
    assert "not those whose head" in (await problem(sealed, exported, Checkpoint(exported.size, bytes(32))) or "")

    # The end is cut off, seals and all.
    cut = raw.transaction()
    await cut.start()
    await raw.execute("DELETE FROM audit_events WHERE id > 250")
    await raw.execute("DELETE FROM audit_seals WHERE last_sequence > 250")
    assert await examine_in(raw) is None
    assert "the first 300 events" in (await examine_in(raw, first, exported) or "")
    await cut.rollback()

    # All is written anew, with one event changed.
    await raw.execute("UPDATE audit_events SET outcome = 'DONE' WHERE id = 1; DELETE FROM audit_seals")
    while await sealing.seal_events(sealed):
        pass
    assert await problem(sealed) is None
    assert "not those whose head" in (await problem(sealed, first, exported) or "")


async def test_the_hashes_are_written_down_here(db: Database) -> None:
    """Heads that were exported must stay valid whatever changes in the code."""
    [row] = await db.fetch(
        Query(
            text(
                "SELECT 7::bigint AS id, '1767323045000006' AS microseconds, 'logIn' AS action, 'DONE' AS outcome, "
                "NULL::uuid AS actor_id, '019ab6540ac572d18c5c0acb9d6ade97'::uuid AS subject_id, '192.0.2.1' AS ip_address, "
                "NULL::text AS request_id, 'TELLER' AS detail"
            ),
            chain.EventRow,
        )
    )
    encoded = b'[7,"1767323045000006",null,"logIn","019ab6540ac572d18c5c0acb9d6ade97","DONE","192.0.2.1",null,"TELLER"]'
    head = hashlib.sha256(bytes(32) + b"event" + encoded).digest()
    assert chain.extend(chain.GENESIS, [row]) == head
    assert chain.seal(head, 1, row.microseconds) == hashlib.sha256(head + b'seal[1,"1767323045000006"]').digest()


async def test_what_is_not_sealed_for_a_minute_is_reported(sealed: Database, raw: Raw) -> None:
    """A writer that does not end holds up the seal: the verification does not say that all is well then."""
    await raw.execute("INSERT INTO audit_events (at, action, outcome) VALUES (now() - interval '61 seconds', 'x', 'DONE')")
    assert await problem(sealed) == "there are events of more than a minute ago that are not sealed"
    await sealing.seal_events(sealed)
    assert await problem(sealed) is None
