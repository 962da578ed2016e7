"""Report whether the process runs, whether it can serve, and how the bank is."""

import asyncio
import shutil
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bank_graphql.identity.tokens import AccessTokens
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Database
from bank_graphql.kit.db_errors import is_write_error
from bank_graphql.kit.errors import Unavailable
from bank_graphql.kit.statements import Query, Row
from bank_graphql.web.draining import Draining

MIN_FREE_DISK = 0.05
"""Below this part of free disk space the bank is degraded."""
MAX_CLOCK_OFFSET = 2.0
"""Above this difference of the clocks, in seconds, the bank is degraded: tokens and holds expire by the server's clock."""
ANSWER_SECONDS = 5.0
"""A database that takes longer to say how it is counts as unreachable."""
_OK = {"status": "ok"}


class _ServerRow(Row):
    version: str
    schema: str
    now: float


_SERVER = Query(
    text("""
    SELECT current_setting('server_version') AS version, (SELECT max(version_num) FROM alembic_version) AS schema,
           extract(epoch FROM clock_timestamp())::float8 AS now
    """),
    _ServerRow,
)


async def live(_request: Request) -> Response:
    """Answer 200: the process runs."""
    return JSONResponse(_OK)


@dataclass(slots=True)
class Health:
    """Serves `/health/ready` and `/health`.

    Attributes:
        db: the database.
        tokens: has the keys that sign access tokens.
        clock: gives the time.
        data_folder: the folder of the embedded database or of the keys, whose disk must not be full.
        draining: whether the process is about to stop.
    """

    db: Database
    tokens: AccessTokens
    clock: Clock
    data_folder: Path
    draining: Draining
    _looking: "asyncio.Task[str] | None" = field(default=None, init=False)

    async def ready(self, _request: Request) -> Response:
        """Answer 200, or 503 while the process is stopping, or the database is unreachable, read-only, or without disk space."""
        if self.draining.has_begun:
            return JSONResponse({"status": "stopping"}, status_code=503)
        state = await self._database_state()
        if state != "ok":
            return JSONResponse({"status": "unavailable", "database": state}, status_code=503)
        return JSONResponse({"status": "ok", "database": "ok"})

    async def summary(self, _request: Request) -> Response:
        """Answer with the bank's version, its database, schema, clock, keys and disk, and whether all of them are in order.

        The status is `ok`, `degraded` if the bank serves but somebody should look, or, with a 503, `unavailable`.
        """
        body: dict[str, Any] = {
            "status": "ok",
            "version": version("bank-graphql"),
            "keys": [key["kid"] for key in self.tokens.jwks["keys"]],
            "database": {"status": await self._database_state()},
        }
        if body["database"]["status"] != "ok":
            return JSONResponse(body | {"status": "unavailable"}, status_code=503)
        [server] = await self.db.fetch(_SERVER)
        offset = round(self.clock().timestamp() - server.now, 3)
        body["database"] |= {"version": server.version, "schema": server.schema, "clockOffsetSeconds": offset}
        is_degraded = abs(offset) > MAX_CLOCK_OFFSET
        if self.data_folder.exists():
            disk = shutil.disk_usage(self.data_folder)
            body["disk"] = {"freeBytes": disk.free, "freeRatio": round(disk.free / disk.total, 3)}
            is_degraded |= disk.free < MIN_FREE_DISK * disk.total
        return JSONResponse(body | {"status": "degraded"} if is_degraded else body)

    async def _database_state(self) -> str:
        """Return the state of the database. Requests that come while one look is under way wait for the same one."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        done, _ = await asyncio.wait([self._looking], timeout=ANSWER_SECONDS)
        return self._looking.result() if done else "unreachable"

    async def _look(self) -> str:
        try:
            await self.db.require_writable()
        except Unavailable as error:
            return "not writable" if is_write_error(error.__cause__) else "unreachable"
        return "ok"
