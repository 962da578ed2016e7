"""A bank whose clock a test sets, as its users meet it."""

import email
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from passlib.totp import TOTP
from starlette.applications import Starlette

from bank_graphql.people import MAILS
from tests.client import PASSWORD, SESSION, Client
from tests.serving import connect

LOG_IN = f"""mutation ($input: LogInInput!) {{ logIn(input: $input) {{
    {SESSION} ... on MfaChallenge {{ challengeToken expiresAt }} }} }}"""
COMPLETE = f"mutation ($token: String!, $code: String!) {{ completeLogIn(challengeToken: $token, code: $code) {{ {SESSION} }} }}"


@dataclass
class ClockedBank:
    """A bank whose clock the test sets."""

    data_dir: Path
    app: Starlette = field(default_factory=Starlette)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def visitor(self, **headers: str) -> Client:
        """Return a signed-out client."""
        return Client(connect(self.app, **headers))

    @property
    def services(self) -> Any:
        """The rooms as the API uses them."""
        return self.app.state.graphql._services

    def code(self, secret: str, steps: int = 0) -> str:
        """Return the code of an authenticator app now, or some steps later."""
        return str(TOTP(key=secret).generate(int(self.now.timestamp()) + 30 * steps).token)

    async def log_in(self, password: str = PASSWORD) -> dict[str, Any]:
        """Return the answer to Ada's log-in."""
        given = {"email": "ada@bank.test", "password": password}
        answer: dict[str, Any] = (await self.visitor().run(LOG_IN, input=given))["logIn"]
        return answer

    async def complete(self, token: str, code: str) -> dict[str, Any]:
        """Return the answer to the completion of a log-in."""
        answer: dict[str, Any] = (await self.visitor().insist(COMPLETE, token=token, code=code))["completeLogIn"]
        return answer

    async def mails(self) -> list[EmailMessage]:
        """Return the mails that were sent since the last call, in their order."""
        await self.services.addresses._outbox.send_due()
        sent = []
        for path in sorted((self.data_dir / MAILS).glob("*.eml")):
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            sent.append(message)
            path.unlink()
        return sent
