"""Mails reach an SMTP server, over TLS where it is not this machine, and are tried again when they do not."""

import asyncio
import contextlib
import email
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from aiosmtplib import SMTPConnectError

from bank_graphql.kit.db import Database
from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.kit.ids import new_id
from bank_graphql.mail.letters import Mail
from bank_graphql.mail.senders import FolderSender, SmtpSender
from bank_graphql.mail.service import KEPT_FOR, LEASE, Outbox
from tests.certificates import self_signed
from tests.ports import free_port

MAIL = Mail("ada@bank.test", "Your code", "Grüße\n")
KEY = bytes(32)


class Server:
    """An SMTP server that keeps what it is sent, and answers as a test says."""

    def __init__(self, answer: str = "250 OK") -> None:
        self.answer = answer
        self.recipient_answer = "250 OK"
        self.received: list[Any] = []
        self.users: list[bytes] = []
        self.recipients: list[str] = []

    async def handle_RCPT(self, _: Any, __: Any, envelope: Any, address: str, ___: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.recipient_answer.startswith("250"):
            envelope.rcpt_tos.append(address)
            self.recipients.append(address)
        return self.recipient_answer

    async def handle_DATA(self, _: Any, __: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.answer.startswith("250"):
            self.received.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return self.answer

    def authenticate(self, _: Any, __: Any, ___: Any, ____: str, given: Any) -> AuthResult:
        assert isinstance(given, LoginPassword)
        self.users.append(given.login)
        return AuthResult(success=given.password == b"hunter/2")


@pytest.fixture
def smtp() -> Iterator[tuple[Server, str]]:
    """A server without TLS, and its host and port."""
    handler, port = Server(), free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port, authenticator=handler.authenticate, auth_require_tls=False)
    controller.start()
    yield handler, f"127.0.0.1:{port}"
    controller.stop()


class Counts(dict[str, int]):
    """What became of mails."""

    def count(self, outcome: str) -> None:
        """Count one."""
        self[outcome] = self.get(outcome, 0) + 1


async def test_a_mail_arrives_with_its_sender_subject_and_text(smtp: tuple[Server, str]) -> None:
    server, address = smtp
    await SmtpSender(f"smtp://bank:hunter%2F2@{address}", "bank@example.com").send(new_id(), MAIL)
    [received] = server.received
    assert (received["From"], received["To"], received["Subject"]) == ("bank@example.com", "ada@bank.test", "Your code")
    assert received.get_content().splitlines() == ["Grüße"]
    assert received["Auto-Submitted"] == "auto-generated"
    assert server.users == [b"bank"]


async def test_tls_is_used_and_certificates_are_checked(tmp_path: Path) -> None:
    context, certificate = self_signed(tmp_path, "localhost")
    handler, port = Server(), free_port()
    controller = Controller(handler, hostname="localhost", port=port, ssl_context=context)
    await asyncio.to_thread(controller.start)
    try:
        with pytest.raises(SMTPConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await SmtpSender(f"smtps://localhost:{port}", "bank@example.com").send(new_id(), MAIL)
        trusting = ssl.create_default_context(cafile=certificate)
        await SmtpSender(f"smtps://localhost:{port}", "bank@example.com", trusting).send(new_id(), MAIL)
    finally:
        await asyncio.to_thread(controller.stop)
    assert len(handler.received) == 1


def test_passwords_are_never_sent_without_tls_to_another_machine() -> None:
    for url, starts in (("smtp://mail.example", True), ("smtp://localhost", False), ("smtps://mail.example", False)):
        sender = SmtpSender(url, "bank@example.com")
        assert (sender._options["start_tls"], sender._options["use_tls"]) == (starts, url.startswith("smtps")), url


@pytest.mark.parametrize("url", ["http://mail.example", "smtp://", "mail.example", "smtp://mail.example:port", "smtp://[::1"])
def test_a_wrong_address_is_one_clear_line_without_the_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^BANK_SMTP_URL cannot be read") as error:
        SmtpSender(url.replace("//", "//bank:hunter2@"), "bank@example.com")
    assert "hunter2" not in str(error.value)


async def test_a_folder_gets_mails_that_only_its_owner_reads(tmp_path: Path) -> None:
    mail_id, folder = new_id(), tmp_path / "mails"
    await FolderSender(folder, "bank@example.com").send(mail_id, MAIL)
    message: Any = email.message_from_bytes((folder / f"{mail_id}.eml").read_bytes(), policy=email.policy.default)
    assert message.get_content() == "Grüße\n"
    assert folder.stat().st_mode & 0o777 == 0o700


async def test_a_mail_is_tried_again_until_it_is_sent(db: Database, raw: asyncpg.Connection, smtp: tuple[Server, str]) -> None:
    server, address = smtp
    now = [datetime.now(UTC)]
    counts = Counts()
    outbox = Outbox(db, SmtpSender(f"smtp://{address}", "bank@example.com"), KEY, lambda: now[0], counts.count)
    await db.transact(lambda connection: outbox.add(connection, MAIL))
    assert b"ada" not in await raw.fetchval("SELECT sealed FROM outgoing_mails")
    server.answer = "451 Try again later"
    assert await outbox.send_due() == 0
    assert await outbox.send_due() == 0
    assert counts == {"failed": 1}  # it waits now
    server.answer = "250 OK"
    now[0] += timedelta(seconds=31)
    assert await outbox.send_due() == 1
    assert counts == {"failed": 1, "sent": 1}
    assert await raw.fetchval("SELECT count(*) FROM outgoing_mails") == 0
    assert len(server.received) == 1


@pytest.mark.parametrize("where", ["answer", "recipient_answer"])
async def test_a_refused_mail_is_dropped_and_one_that_waits_for_a_day_given_up(
    db: Database, raw: asyncpg.Connection, smtp: tuple[Server, str], where: str
) -> None:
    server, address = smtp
    now = [datetime.now(UTC)]
    counts = Counts()
    outbox = Outbox(db, SmtpSender(f"smtp://{address}", "bank@example.com"), KEY, lambda: now[0], counts.count)
    await db.transact(lambda connection: outbox.add(connection, MAIL))
    setattr(server, where, "550 No such user")
    assert await outbox.send_due() == 0
    assert counts == {"refused": 1}
    await db.transact(lambda connection: outbox.add(connection, MAIL))
    setattr(server, where, "450 Later")
    assert await outbox.send_due() == 0
    for _ in range(15):  # once an hour at least
        now[0] += timedelta(hours=1)
        assert await outbox.send_due() == 0
    assert counts == {"refused": 1, "failed": 16}
    now[0] += KEPT_FOR
    assert await outbox.send_due() == 0
    assert counts == {"refused": 1, "failed": 16, "given_up": 1}
    assert await raw.fetchval("SELECT count(*) FROM outgoing_mails") == 0


async def test_racing_processes_send_a_mail_once_and_another_takes_over_from_a_dead_one(
    db: Database, smtp: tuple[Server, str]
) -> None:
    server, address = smtp
    now = [datetime.now(UTC)]
    counts = Counts()
    sender = SmtpSender(f"smtp://{address}", "bank@example.com")
    outboxes = [Outbox(db, sender, KEY, lambda: now[0], counts.count) for _ in range(4)]
    for _ in range(50):
        await db.transact(lambda connection: outboxes[0].add(connection, MAIL))
    assert sum(await asyncio.gather(*(each.send_due() for each in outboxes))) == 50
    assert len(server.received) == 50
    await db.transact(lambda connection: outboxes[0].add(connection, MAIL))
    await outboxes[0]._claim()  # and then it dies
    assert await outboxes[1].send_due() == 0
    now[0] += LEASE
    assert await outboxes[1].send_due() == 1


async def test_discarded_mails_are_stored_like_others_and_never_sent(
    db: Database, raw: asyncpg.Connection, smtp: tuple[Server, str]
) -> None:
    server, address = smtp
    outbox = Outbox(db, SmtpSender(f"smtp://{address}", "b@example.com"), KEY, lambda: datetime.now(UTC), Counts().count)
    await db.transact(lambda connection: outbox.add(connection, MAIL, discard=True))
    assert await raw.fetchval("SELECT count(*) FROM outgoing_mails") == 1
    assert await outbox.send_due() == 0
    assert await raw.fetchval("SELECT count(*) FROM outgoing_mails") == 0
    assert server.received == []


async def test_a_mail_that_cannot_be_made_stops_no_other(
    db: Database, raw: asyncpg.Connection, smtp: tuple[Server, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, address = smtp
    counts = Counts()
    outbox = Outbox(db, SmtpSender(f"smtp://{address}", "b@example.com"), KEY, lambda: datetime.now(UTC), counts.count)
    poison = Mail("=?us-ascii?q?v=0A0?=@x.test", "Your code\r\nBcc: eve@bank.test", "…")
    for mail in (MAIL, poison, MAIL, poison, MAIL):
        await db.transact(lambda connection, mail=mail: outbox.add(connection, mail))  # type: ignore[misc]
    assert await outbox.send_due() == 3
    assert [each["To"] for each in server.received] == ["ada@bank.test"] * 3
    assert counts == {"sent": 3, "failed": 2}


@pytest.mark.parametrize("local", ["=?us-ascii?q?ada?=", "a,b", '"a b"', "ü", "a>,<b"])
async def test_a_mail_goes_to_its_address_whatever_mail_programs_make_of_it(smtp: tuple[Server, str], local: str) -> None:
    server, address = smtp
    sender = SmtpSender(f"smtp://{address}", "bank@example.com")
    with contextlib.suppress(Exception):  # what cannot be sent is sent to nobody
        await sender.send(new_id(), Mail(f"{local}@x.test", "s", "t"))
    assert set(server.recipients) <= {f"{local}@x.test"}
