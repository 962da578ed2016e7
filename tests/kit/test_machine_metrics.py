"""Metrics of disks and of the certificate."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bank_graphql.kit.machine_metrics import declare_certificate, declare_disks
from bank_graphql.kit.metrics import Metrics

EXPIRY = datetime(2031, 1, 2, 3, 4, 5, tzinfo=UTC)


def server_context(folder: Path) -> ssl.SSLContext:
    """TLS with a certificate that nobody trusts."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bank.test")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, EXPIRY - timedelta(days=3650), EXPIRY)
    certificate = builder.sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(private + certificate.public_bytes(pem))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.pem")
    return context


async def test_the_expiry_of_the_certificate_at_the_public_address_is_exposed(tmp_path: Path) -> None:
    async with await asyncio.start_server(
        lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=server_context(tmp_path)
    ) as server:
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
