"""Alembic's environment: runs on the connection that `bank_graphql.kit.schema` hands in."""

import asyncio

from alembic import context
from sqlalchemy import text
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.util import await_only
from sqlmodel import SQLModel

from bank_graphql.accounts import models as accounts
from bank_graphql.approvals import models as approvals
from bank_graphql.audit import models as audit
from bank_graphql.cards import models as cards
from bank_graphql.clearing import models as clearing
from bank_graphql.events import models as events
from bank_graphql.identity import models as identity
from bank_graphql.kit.schema import note_versions
from bank_graphql.ledger import models as ledger
from bank_graphql.mail import models as mail
from bank_graphql.oauth import models as oauth
from bank_graphql.payees import models as payees
from bank_graphql.payments import models as payments
from bank_graphql.products import models as products
from bank_graphql.schedules import models as schedules
from bank_graphql.statements import models as statements

MODELS = (
    *(ledger, events, audit, mail, identity, accounts, cards, clearing, payees, payments, statements, approvals, schedules),
    *(products, oauth),
)
ONE_AT_A_TIME = 0x62616E6B  # "bank"
WAIT_SECONDS = 0.1
LOCK_TIMEOUT = "2s"
"""How long a migration waits for a table. Whoever uses the table next waits behind it, so it gives up, and is run again."""

ischema_names["xid8"] = events.Xid8
connection = context.config.attributes["connection"]
while not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": ONE_AT_A_TIME}).scalar():
    connection.commit()  # whoever waits inside a statement would hold up an index that is built concurrently
    await_only(asyncio.sleep(WAIT_SECONDS))
connection.commit()
try:
    connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        compare_server_default=True,
        transaction_per_migration=True,  # a lock that one takes is not held while the next one works
        on_version_apply=lambda heads, **_: note_versions(connection, next(iter(heads), None)),
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
finally:
    connection.rollback()
    connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": ONE_AT_A_TIME})
    connection.commit()
