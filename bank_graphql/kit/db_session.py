"""Set up a session of the database, and refuse databases and poolers that the bank cannot work with.

Settings are set by a statement after connecting, not in the start-up message, in which PgBouncer refuses most of them.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

import asyncpg

from bank_graphql.kit.db_errors import POOLER_WITHOUT_SESSIONS, as_configuration_error
from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.kit.ids import lock_key

if TYPE_CHECKING:
    from asyncpg.connection import LoggedQuery

MINIMUM_VERSION = 15
PUBLIC = "public"
"""The schema that every database has."""
DriverConnection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
"""A connection of the driver, of its own or from its pool."""
_WHOLE_TABLE_METHODS = [
    f"enable_{each}" for each in ("seqscan", "bitmapscan", "hashjoin", "mergejoin", "material", "incremental_sort")
]
FULL_READ_PLANS = {"statement_timeout": "0", "join_collapse_limit": "8", **dict.fromkeys(_WHOLE_TABLE_METHODS, "on")}
"""Settings of a transaction that reads whole tables: no time limit, and no restriction of the planner."""
INDEX_PLANS = {
    # By default, PostgreSQL plans the first runs of a statement for their own arguments. For long arrays these plans read
    # whole tables, which takes seconds instead of milliseconds with millions of rows.
    "plan_cache_mode": "force_generic_plan",
    # A plan that is made once, from statistics that may be wrong or outdated, must be good for all arguments. So a statement
    # reads its tables by indexes, a row at a time, in the order in which it names them. `Database.snapshot` lifts this.
    "join_collapse_limit": "1",
    **dict.fromkeys(_WHOLE_TABLE_METHODS, "off"),
}
IS_READ_ONLY = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean"
"""Whether the server is read-only: as a standby, or because it was set to be."""
_SET_ALL = "SELECT set_config(name, value, false) FROM unnest($1::text[], $2::text[]) AS settings (name, value)"
_PREPARE_LOCK = "PREPARE take_locks (bigint[]) AS SELECT count(pg_advisory_xact_lock(key # {})) FROM unnest($1) AS locks (key)"
LOCK_TABLE_SIZE = """
SELECT current_setting('max_locks_per_transaction')::bigint
    * (current_setting('max_connections')::bigint + current_setting('max_prepared_transactions')::bigint)
"""
"""How many locks all transactions of the server can hold together."""
LOCK = "EXECUTE take_locks('{{{}}}')"
"""Takes advisory locks: text without parameters, to run in one round trip with BEGIN, but planned once per connection."""
_CREATE_DATABASE = "CREATE DATABASE bank ENCODING 'UTF8' LOCALE 'C.UTF-8' TEMPLATE template0"


def search_path(schema: str) -> str:
    """Return the search path of a session for a schema. Temporary tables are last, so that they hide none of the schema's."""
    return f'"{schema}", pg_temp'


async def set_up(
    connection: DriverConnection,
    settings: Mapping[str, str],
    schema: str = PUBLIC,
    query_logger: "Callable[[LoggedQuery], None] | None" = None,
) -> None:
    """Set the settings of a new session, and prepare the statement that takes locks.

    Args:
        connection: the driver's connection.
        settings: names and values as in `SET`, including `role`.
        schema: the schema. Banks in several schemas of a database take different locks.
        query_logger: called after each statement of the session from now on.
    """
    await connection.fetch(_SET_ALL, [*settings, "search_path"], [*settings.values(), search_path(schema)])
    await connection.execute(_PREPARE_LOCK.format(0 if schema == PUBLIC else lock_key("schema", UUID(int=0), schema)))
    if query_logger is not None:
        connection.add_query_logger(query_logger)


async def require_sessions(first: DriverConnection, second: DriverConnection) -> None:
    """Refuse a pooler that assigns a session for one transaction only: settings, locks and prepared statements would be lost.

    It is detected when both connections get the same session, or one of them gets two sessions.

    Raises:
        ConfigurationError: the database is behind such a pooler.
    """
    ids = [await connection.fetchval("SELECT pg_backend_pid()") for connection in (first, second, first, second)]
    if ids[0] == ids[1] or ids[:2] != ids[2:]:
        raise ConfigurationError(POOLER_WITHOUT_SESSIONS)


def require_version(connection: DriverConnection) -> None:
    """Make sure that the server is new enough.

    Raises:
        ConfigurationError: it is older than `MINIMUM_VERSION`.
    """
    major = connection.get_server_version().major
    if major < MINIMUM_VERSION:
        raise ConfigurationError(f"The database is PostgreSQL {major}; PostgreSQL {MINIMUM_VERSION} or newer is needed.")


async def require_unicode(connection: DriverConnection) -> None:
    """Make sure that the database can store all text, and lower-case letters beyond ASCII, which searches need.

    Raises:
        ConfigurationError: it cannot. The message has the statement that creates a database which can.
    """
    encoding = await connection.fetchval("SHOW server_encoding")
    if encoding != "UTF8":
        raise ConfigurationError(f"The database's encoding is {encoding}, and the bank needs UTF8: {_CREATE_DATABASE}.")
    if not await connection.fetchval("SELECT lower('ÄΣ') = 'äσ'"):
        raise ConfigurationError(
            f"The database's locale has no lower-case letters beyond ASCII, which searches need: {_CREATE_DATABASE}."
        )


async def can_set_role(dsn: str, role: str, *, insert_into: str, timeout: float = 10) -> bool:  # noqa: ASYNC109 - the driver's
    """Return whether the user of the address can change to another role that can insert into the table.

    Args:
        dsn: the address.
        role: the other role.
        insert_into: the table.
        timeout: seconds to wait for a connection.

    Raises:
        ConfigurationError: the database cannot be reached.
    """
    with as_configuration_error():
        connection = await asyncpg.connect(dsn, timeout=timeout)
        try:
            if await connection.fetchval("SELECT current_user", timeout=timeout) == role:
                return False  # no change is needed
            async with connection.transaction():
                await connection.execute(f'SET LOCAL ROLE "{role}"')
                return bool(await connection.fetchval("SELECT has_any_column_privilege($1, 'INSERT')", insert_into))
        except (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidParameterValueError, asyncpg.UndefinedTableError):
            return False
        finally:
            await connection.close()
