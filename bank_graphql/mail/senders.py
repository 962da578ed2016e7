"""Where mails go: to an SMTP server (by aiosmtplib), or into a folder, where developers read them."""

import asyncio
import ssl
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit
from uuid import UUID

import aiosmtplib

from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.mail.letters import Mail

SEND_SECONDS = 30
"""How long it may take to send a mail."""
_TIMEOUT_SECONDS = 20


class MailRefusedError(Exception):
    """The mail server refuses a mail for good, for instance because there is no such address."""


class Sender(Protocol):
    """Sends mails."""

    async def send(self, mail_id: UUID, mail: Mail) -> None:
        """Send a mail.

        Raises:
            MailRefusedError: the server will never accept it.
            OSError, SMTPException: it cannot be sent now.
        """


class SmtpSender:
    """Sends mails by an SMTP server, always over TLS except to this machine itself.

    Args:
        url: `smtps://user:password@host:465`, or `smtp://…:587`, which begins without TLS and then asks for it (STARTTLS).
        sender: the address that mails come from.
        tls: whom to trust; None for what the system trusts.

    Raises:
        ConfigurationError: the URL is not one of an SMTP server.
    """

    def __init__(self, url: str, sender: str, tls: ssl.SSLContext | None = None) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise _malformed() from error
        if parts.scheme not in {"smtp", "smtps"} or not parts.hostname or parts.path.strip("/"):
            raise _malformed()
        is_secure = parts.scheme == "smtps"
        self._sender = sender
        self._options = {
            "hostname": parts.hostname,
            "port": port or (465 if is_secure else 587),
            "username": unquote(parts.username) if parts.username else None,
            "password": unquote(parts.password) if parts.password else None,
            "use_tls": is_secure,
            "start_tls": not (is_secure or _is_own(parts.hostname)),
            "tls_context": tls,
            "timeout": _TIMEOUT_SECONDS,
        }

    async def send(self, mail_id: UUID, mail: Mail) -> None:
        """Send a mail. See `Sender`."""
        try:
            message = message_of(mail_id, mail, self._sender)
            async with asyncio.timeout(SEND_SECONDS):
                await aiosmtplib.send(message, sender=self._sender, recipients=[mail.to], **self._options)  # type: ignore[arg-type]
        except aiosmtplib.SMTPRecipientsRefused as error:
            if all(500 <= each.code < 600 for each in error.recipients):
                raise MailRefusedError from error
            raise
        except aiosmtplib.SMTPDataError as error:
            if 500 <= error.code < 600:
                raise MailRefusedError from error
            raise


class FolderSender:
    """Writes each mail into a folder, as a file that mail programs open.

    Args:
        folder: the folder, which is made if it is missing.
        sender: the address that mails come from.
    """

    def __init__(self, folder: Path, sender: str) -> None:
        self._folder = folder
        self._sender = sender

    async def send(self, mail_id: UUID, mail: Mail) -> None:
        """Write a mail. See `Sender`."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self._folder / f"{mail_id}.eml").write_bytes(message_of(mail_id, mail, self._sender).as_bytes())


def message_of(mail_id: UUID, mail: Mail, sender: str) -> EmailMessage:
    """Return a mail in the form in which it is sent (RFC 5322). Sent twice, it has the same `Message-ID`.

    Raises:
        ValueError: mail programs would read the address as another one, or the subject has more than one line.
    """
    message = EmailMessage()
    local, _, domain = mail.to.rpartition("@")
    message["From"], message["To"], message["Subject"] = sender, Address(username=local, domain=domain), mail.subject
    if "=?" in mail.to or [each.addr_spec for each in message["To"].addresses] != [mail.to]:
        raise ValueError("an address that is read as another one")
    message["Date"] = formatdate(usegmt=True)
    message["Message-ID"] = make_msgid(mail_id.hex, sender.rpartition("@")[2]) if "@" in sender else make_msgid(mail_id.hex)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text)
    return message


def _is_own(host: str) -> bool:
    """Return whether a host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _malformed() -> ConfigurationError:
    form = "give smtps://user:password@host:port, or smtp://… for STARTTLS"
    return ConfigurationError(f"BANK_SMTP_URL cannot be read: {form}, and write @ : / in a password as %40 %3A %2F.")
