"""Whether the process lives, and whether it can serve."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bank_graphql.kit.db import Database
from bank_graphql.kit.errors import Unavailable


async def live(_request: Request) -> Response:
    """The process answers."""
    return JSONResponse({"status": "ok"})


class Readiness:
    """The database answers too."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def __call__(self, _request: Request) -> Response:
        """200, or 503 while the database is out of reach."""
        try:
            await self._db.ping()
        except Unavailable:
            return JSONResponse({"status": "unavailable", "database": "out of reach"}, status_code=503)
        return JSONResponse({"status": "ok", "database": "ok"})
