"""Metrics of disks and of the certificate."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from bank_graphql.kit.machine_metrics import declare_certificate, declare_disks
from bank_graphql.kit.metrics import Metrics
from tests.certificates import self_signed

EXPIRY = datetime(2031, 1, 2, 3, 4, 5, tzinfo=UTC)


async def test_the_expiry_of_the_certificate_at_the_public_address_is_exposed(tmp_path: Path) -> None:
    context, _ = self_signed(tmp_path, "bank.test", EXPIRY)
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        metrics = Metrics()
        declare_certificate(metrics, f"https://127.0.0.1:{port}")
        exposed = (await metrics.expose()).decode()
    line = next(line for line in exposed.splitlines() if line.startswith("bank_certificate_expiry_timestamp_seconds "))
    assert float(line.split()[1]) == EXPIRY.timestamp()


async def test_what_cannot_be_read_has_no_figure(tmp_path: Path) -> None:
    metrics = Metrics()
    declare_certificate(metrics, "http://127.0.0.1:1")
    declare_certificate(metrics, "https://127.0.0.1:1")
    declare_disks(metrics, {"data": tmp_path, "archive": tmp_path / "none"})
    exposed = (await metrics.expose()).decode()
    assert "\nbank_certificate_expiry_timestamp_seconds " not in exposed
    assert 'bank_disk_free_bytes{disk="data"}' in exposed
    assert 'disk="archive"' not in exposed
