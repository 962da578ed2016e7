"""Reads of the audit. The caller has made sure that the actor may read it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, DateTime, Text, Uuid, bindparam, or_, select
from sqlalchemy.types import TypeEngine
from sqlmodel import col

from bank_graphql.audit.models import AuditEvent
from bank_graphql.kit.paging import Page, RootListing, Slice, serial_key
from bank_graphql.kit.statements import Query, Reads, Row


@dataclass(frozen=True, slots=True)
class AuditFilters:
    """Which events to list. None does not restrict. `since` is included, `until` is not."""

    actor_id: UUID | None = None
    action: str | None = None
    subject_id: UUID | None = None
    outcome: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class AuditRow(Row):
    """An event, as auditors see it."""

    id: int
    at: datetime
    actor_id: UUID | None
    action: str
    subject_id: UUID | None
    outcome: str
    ip_address: str | None
    request_id: str | None
    detail: str | None


_COLUMNS = (
    col(AuditEvent.id),
    col(AuditEvent.at),
    col(AuditEvent.actor_id),
    col(AuditEvent.action),
    col(AuditEvent.subject_id),
    col(AuditEvent.outcome),
    col(AuditEvent.ip_address),
    col(AuditEvent.request_id),
    col(AuditEvent.detail),
)


def _matches(column: Any, name: str, type_: TypeEngine[Any]) -> ColumnElement[bool]:
    given = bindparam(name, type_=type_)
    matches: ColumnElement[bool] = or_(given.is_(None), column == given)
    return matches


_since, _until = (bindparam(name, type_=DateTime(timezone=True)) for name in ("since", "until"))
_events = select(*_COLUMNS).where(
    _matches(col(AuditEvent.action), "action", Text()),
    _matches(col(AuditEvent.subject_id), "subject_id", Uuid()),
    _matches(col(AuditEvent.outcome), "outcome", Text()),
    or_(_since.is_(None), col(AuditEvent.at) >= _since),
    or_(_until.is_(None), col(AuditEvent.at) < _until),
)
_ALL = RootListing(_events, by=col(AuditEvent.id), key=serial_key("AuditEvent"), record=AuditRow)
_OF_ACTOR = RootListing(
    _events.where(col(AuditEvent.actor_id) == bindparam("actor_id", type_=Uuid())),
    by=col(AuditEvent.id),
    key=serial_key("AuditEvent"),
    record=AuditRow,
)
_EVENT = Query(select(*_COLUMNS).where(col(AuditEvent.id) == bindparam("id", type_=BigInteger())), AuditRow)
KEY = _ALL.key
"""The type of the keys by which events are listed."""


async def events(db: Reads, page: Page, filters: AuditFilters) -> Slice[AuditRow]:
    """Return a page of the events, newest first."""
    given = {
        "action": filters.action,
        "subject_id": filters.subject_id,
        "outcome": filters.outcome,
        "since": filters.since,
        "until": filters.until,
    }
    if filters.actor_id is None:
        return await _ALL.fetch(db, page, **given)
    return await _OF_ACTOR.fetch(db, page, **given, actor_id=filters.actor_id)


async def event(db: Reads, event_id: int) -> AuditRow | None:
    """Return the event with an id; None if there is none."""
    return await db.fetch_one(_EVENT, id=event_id)
