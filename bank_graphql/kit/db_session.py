"""Set up a session of the database, and refuse a database or a pooler that the bank cannot work with.

Settings are made by statements after connecting, not in the start-up message: PgBouncer refuses most settings there.
"""

from collections.abc import Mapping
from typing import Any

import asyncpg

from bank_graphql.kit.db_errors import POOLER_WITHOUT_SESSIONS
from bank_graphql.kit.errors import ConfigurationError

MINIMUM_VERSION = 15
_FOR_ALL_ROWS = [f"enable_{each}" for each in ("seqscan", "bitmapscan", "hashjoin", "mergejoin", "material", "incremental_sort")]
FREE_PLANS = {"statement_timeout": "0", "join_collapse_limit": "8", **dict.fromkeys(_FOR_ALL_ROWS, "on")}
"""Settings of a session that examines all rows: no time limit, and whatever plan the planner likes."""
PLANS = {
    # Otherwise a statement's first runs are planned anew for their own arguments, and for long arrays that is to read whole
    # tables: with millions of rows, seconds instead of milliseconds.
    "plan_cache_mode": "force_generic_plan",
    # A plan made once, of figures that may be wrong or of another day, must be good for any: so a statement's tables are read by
    # their indexes, in the order written, a row at a time. Whoever examines all rows allows more again: see `Database.snapshot`.
    "join_collapse_limit": "1",
    **dict.fromkeys(_FOR_ALL_ROWS, "off"),
}
IS_READ_ONLY = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean"
"""Whether the server only allows reading: as a standby, or because it was set to."""
_SET = "SELECT set_config(name, value, false) FROM unnest($1::text[], $2::text[]) AS settings (name, value)"
_PREPARE_LOCK = "PREPARE take_locks (bigint[]) AS SELECT count(pg_advisory_xact_lock(key)) FROM unnest($1) AS locks (key)"
LOCK = "EXECUTE take_locks('{{{}}}')"
"""Goes along with BEGIN in one round trip, which takes a statement in plain text: planned once a connection all the same."""
_HOW_TO_MAKE = "CREATE DATABASE bank ENCODING 'UTF8' LOCALE 'C.UTF-8' TEMPLATE template0"


async def set_up(connection: Any, settings: Mapping[str, str]) -> None:
    """Make the settings of a new session, and prepare what each transaction uses.

    Args:
        connection: the driver's connection.
        settings: names and values, as `SET` takes them; `role` among them.
    """
    await connection.fetch(_SET, list(settings), list(settings.values()))
    await connection.execute(_PREPARE_LOCK)


async def require_sessions(first: Any, second: Any) -> None:
    """Refuse a pooler that lends a session for a transaction only: it would lose settings, locks and prepared statements.

    Such a pooler shows itself when two of its clients meet on one session, or when one of them changes from one to another.

    Raises:
        ConfigurationError: there is such a pooler before the database.
    """
    ids = [await each.fetchval("SELECT pg_backend_pid()") for each in (first, second, first, second)]
    if ids[0] == ids[1] or ids[:2] != ids[2:]:
        raise ConfigurationError(POOLER_WITHOUT_SESSIONS)


def require_version(connection: Any) -> None:
    """Refuse a server that is too old.

    Raises:
        ConfigurationError: it is older than `MINIMUM_VERSION`.
    """
    major: int = connection.get_server_version().major
    if major < MINIMUM_VERSION:
        raise ConfigurationError(f"The database is PostgreSQL {major}; PostgreSQL {MINIMUM_VERSION} or newer is needed.")


async def require_unicode(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Refuse a database that cannot hold all text, or does not know lower-case letters beyond ASCII, by which searches find text.

    Raises:
        ConfigurationError: with the statement that makes a database that fits.
    """
    encoding = await connection.fetchval("SHOW server_encoding")
    if encoding != "UTF8":
        raise ConfigurationError(f"The database's encoding is {encoding}, and the bank needs UTF8: {_HOW_TO_MAKE}.")
    if not await connection.fetchval("SELECT lower('ÄΣ') = 'äσ'"):
        raise ConfigurationError(
            f"The database's locale has no lower-case letters beyond ASCII, by which searches find text: {_HOW_TO_MAKE}."
        )
