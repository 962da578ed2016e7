"""Writes the answers in the documentation anew: `python -m tests.docs [page …]`."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from bank_graphql.kit import schema
from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.embedded import EmbeddedPostgres
from tests.databases import Databases, dsn_of
from tests.docs.pages import common, pages, with_answers
from tests.docs.running import answers_of
from tests.folders import reachable_folder
from tests.serving import sandbox


async def _write(chosen: list[Path]) -> None:
    with reachable_folder() as folder:
        async with EmbeddedPostgres(folder, {"fsync": "off"}) as server, Databases(server) as databases:
            template = await databases.create()
            await schema.migrate(dsn_of(server, template))
            for page in chosen:
                text = page.read_text(encoding="utf-8")
                both: list[list[Any]] = []
                for _ in range(2):
                    began = utc_now().replace(microsecond=0)
                    while utc_now() < began + timedelta(seconds=1):  # so that real times differ, too
                        await asyncio.sleep(0.05)
                    with reachable_folder() as keys:
                        settings = sandbox(dsn_of(server, await databases.create(template)), keys)
                        both.append(await answers_of(text, settings))
                page.write_text(with_answers(text, common(*both)), encoding="utf-8")
                print(page.name, len(both[0]))  # noqa: T201 - a command


if __name__ == "__main__":
    asyncio.run(_write([Path(each).resolve() for each in sys.argv[1:]] or pages()))
