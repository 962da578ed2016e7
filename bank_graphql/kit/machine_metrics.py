"""Metrics of what the server stands on: its disks, and the certificate of its public address."""

import asyncio
import shutil
import ssl
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from prometheus_client.core import Metric

from bank_graphql.kit.metrics import Metrics, gauge_family

_DISK_SECONDS = 15.0
_CERTIFICATE_SECONDS = 3600.0
_CONNECT_SECONDS = 5.0


def declare_disks(metrics: Metrics, folders: Mapping[str, Path]) -> None:
    """Declare the free space and the size of the disks on which folders are, by what the folders are called."""

    async def read() -> Iterable[Metric]:
        free = gauge_family("bank_disk_free_bytes", "Free space of a disk.", ["disk"])
        size = gauge_family("bank_disk_size_bytes", "Size of a disk.", ["disk"])
        for name, folder in folders.items():
            with suppress(OSError):
                usage = shutil.disk_usage(folder)
                free.add_metric([name], usage.free)
                size.add_metric([name], usage.total)
        return [free, size]

    metrics.figures(read, seconds=_DISK_SECONDS)


def declare_certificate(metrics: Metrics, address: str) -> None:
    """Declare when the certificate of an address expires, if that is an https one."""
    parts = urlsplit(address)
    if parts.scheme != "https" or parts.hostname is None:
        return
    host, port = parts.hostname, parts.port or 443

    async def read() -> Iterable[Metric]:
        expiry = gauge_family("bank_certificate_expiry_timestamp_seconds", "When the certificate expires, in Unix time.")
        with suppress(OSError, ValueError):
            expiry.add_metric([], (await expiry_of(host, port)).timestamp())
        return [expiry]

    metrics.figures(read, seconds=_CERTIFICATE_SECONDS)


async def expiry_of(host: str, port: int) -> datetime:
    """Return when the certificate that a server shows expires.

    Raises:
        OSError: the server cannot be reached, or does not answer in time.
        ValueError: it shows no certificate.
    """
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # an expired certificate is to be read as well
    async with asyncio.timeout(_CONNECT_SECONDS):
        _, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(certificate or b"").not_valid_after_utc
    finally:
        writer.close()
