"""Alembic's environment: runs on the connection that `bank_graphql.kit.schema` hands in."""

from alembic import context
from sqlalchemy import text
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlmodel import SQLModel

from bank_graphql.accounts import models as accounts
from bank_graphql.audit import models as audit
from bank_graphql.cards import models as cards
from bank_graphql.events import models as events
from bank_graphql.identity import models as identity
from bank_graphql.kit.schema import note_versions
from bank_graphql.ledger import models as ledger
from bank_graphql.payees import models as payees
from bank_graphql.payments import models as payments
from bank_graphql.statements import models as statements

MODELS = (ledger, events, audit, identity, accounts, cards, payees, payments, statements)
ONE_AT_A_TIME = 0x62616E6B  # "bank"
LOCK_TIMEOUT = "2s"
"""How long a migration waits for a table. Whoever uses the table next waits behind it, so it gives up, and is run again."""

ischema_names["xid8"] = events.Xid8
connection = context.config.attributes["connection"]
connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": ONE_AT_A_TIME})
connection.commit()
try:
    context.configure(connection=connection, target_metadata=SQLModel.metadata, compare_server_default=True)
    with context.begin_transaction():
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
        context.run_migrations()
        note_versions(connection, context.get_context().get_current_revision())
    connection.commit()
finally:
    connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": ONE_AT_A_TIME})
    connection.commit()
