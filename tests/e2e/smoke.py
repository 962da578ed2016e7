"""The bank in short, on any Python: it starts, someone signs in and pays, it stops."""

import asyncio
import sys
import time

from tests.e2e.processes import Server, accounts_of
from tests.folders import reachable_folder


async def main() -> None:
    """Run through it."""
    began = time.monotonic()
    with reachable_folder() as folder:
        async with Server(folder) as server:
            ada = await server.ada()
            account, other, *_ = await accounts_of(ada)
            moved = await ada.transfer(account["id"], other["id"], "1")
            assert moved["__typename"] == "MoneyMoved", moved
            assert await server.end() == 0
        assert "Traceback" not in server.output, server.output
    print(f"Python {sys.version.split()[0]}: started, signed in, paid and stopped in {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    asyncio.run(main())
