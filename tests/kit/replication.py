"""A primary and its streaming standby, both of the embedded binaries."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from bank_graphql.kit import schema
from bank_graphql.kit.embedded import DATABASE, SUPERUSER, EmbeddedPostgres, binaries
from tests.folders import reachable_folder
from tests.kit.postgres import WITHOUT_FSYNC


@dataclass(frozen=True)
class Pair:
    """A primary and its standby, whose name is `second`.

    Attributes:
        primary: the primary's address.
        standby: the standby's address.
        folder: the primary's folder.
        standby_folder: the standby's folder.
    """

    primary: str
    standby: str
    folder: Path
    standby_folder: Path

    @property
    def both(self) -> str:
        """The address of the one that can be written to."""
        hosts = ",".join(each.partition("host=")[2] for each in (self.primary, self.standby))
        return f"postgresql://{SUPERUSER}@/{DATABASE}?host={hosts}&target_session_attrs=read-write"


@asynccontextmanager
async def replicated() -> AsyncIterator[Pair]:
    """Run a primary with the bank's schema, and its standby."""
    with reachable_folder() as here, reachable_folder() as there:
        async with EmbeddedPostgres(here, WITHOUT_FSYNC) as primary:
            await schema.migrate(primary)
            _copy(primary, there)
            conninfo = f"host={primary.partition('host=')[2]} user={SUPERUSER} application_name=second"
            async with EmbeddedPostgres(there, {**WITHOUT_FSYNC, "primary_conninfo": conninfo}) as standby:
                yield Pair(primary, standby, here, there)


def _copy(primary: str, folder: Path) -> None:
    """Copy a primary's data for a standby."""
    owner = Path(primary.partition("host=")[2]).stat()
    folder.chmod(0o777)
    user = {"user": owner.st_uid, "group": owner.st_gid} if os.geteuid() == 0 else {}
    command = [
        str(binaries() / "pg_basebackup"), "-d", primary, "-D", str(folder / "postgres"), "-R", "-X", "stream", "-c", "fast", "--no-sync",
    ]  # fmt: skip
    subprocess.run(command, check=True, cwd="/", **user)  # type: ignore[call-overload]


async def until_replayed(primary: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Wait until the standby has replayed all that the primary has written."""
    async with asyncio.timeout(20):
        while not await primary.fetchval("SELECT bool_and(replay_lsn >= pg_current_wal_lsn()) FROM pg_stat_replication"):
            await asyncio.sleep(0.01)
