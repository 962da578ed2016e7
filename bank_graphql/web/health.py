"""Report whether the process runs, and whether it can serve."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bank_graphql.kit.db import Database
from bank_graphql.kit.db_errors import WRITE_ERRORS
from bank_graphql.kit.errors import Unavailable


async def live(_request: Request) -> Response:
    """Answer 200: the process runs."""
    return JSONResponse({"status": "ok"})


class Readiness:
    """Serves `/health/ready`: whether the database answers and can be written.

    Args:
        db: the database.
    """

    def __init__(self, db: Database) -> None:
        self._db = db

    async def __call__(self, _request: Request) -> Response:
        """Answer 200, or 503 while the database is unreachable, is read-only, or has no disk space left."""
        try:
            await self._db.require_writable()
        except Unavailable as error:
            state = "not writable" if isinstance(error.__cause__, WRITE_ERRORS) else "unreachable"
            return JSONResponse({"status": "unavailable", "database": state}, status_code=503)
        return JSONResponse({"status": "ok", "database": "ok"})
