"""Executes the examples of a page, on a new bank whose clock stands at the 2nd of March 2026, 9:00 UTC."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from graphql import OperationDefinitionNode, OperationType, parse

from bank_graphql.app import create_app
from bank_graphql.identity.enums import UserRole
from bank_graphql.mail import jobs
from bank_graphql.settings import Settings
from tests.api.clocked import ClockedBank
from tests.api.test_mails import code_in
from tests.authenticator import Authenticator
from tests.client import PASSWORD, Client
from tests.docs.pages import Example, Note, steps
from tests.serving import connect

BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
CUSTOMERS = {"Ada": "Ada Lovelace", "Grace": "Grace Hopper"}
STAFF = {
    "A teller": ("tessa@example.com", "Tessa Teller", UserRole.TELLER),
    "An auditor": ("otto@example.com", "Otto Auditor", UserRole.AUDITOR),
    "An administrator": ("anna@example.com", "Anna Admin", UserRole.ADMIN),
    "Another administrator": ("alan@example.com", "Alan Admin", UserRole.ADMIN),
    "The card network": ("pia@example.com", "Pia Processor", UserRole.PROCESSOR),
}
_CALL = re.compile(r"(?P<name>totp|mail|passkey)\((?P<argument>[^,)]+)(?:, (?P<steps>-?\d+))?\)")


class Reader:
    """Somebody who tries the examples of a page one after another.

    Args:
        bank: the new bank.
    """

    def __init__(self, bank: ClockedBank) -> None:
        self._bank = bank
        self._http = connect(bank.app)
        self._tokens: dict[str, str | None] = {"Nobody": None}
        self._last: Any = None
        self._device = Authenticator(origin="http://localhost:8000")
        self._values: dict[str, Any] = {"password": PASSWORD}

    async def prepare(self) -> None:
        """Make the customers, with an account of 1,000 euros each, and the staff."""
        for name, full_name in CUSTOMERS.items():
            client = await Client(self._http).sign_up(f"{name.lower()}@example.com", full_name)
            opened = await client.open(deposit="1000", name="Everyday")
            prefix = "" if name == "Ada" else name.lower()
            self._tokens[name] = client.token
            self._values[f"{name.lower()}Id"] = client.user_id
            self._values[f"{prefix}Account" if prefix else "account"] = opened["id"]
            self._values[f"{prefix}Number" if prefix else "number"] = opened["number"]
        for name, (email, full_name, role) in STAFF.items():
            await self._bank.services.identity.create_user(email=email, password=PASSWORD, full_name=full_name, role=role)
            self._tokens[name] = (await Client(self._http).log_in(email)).token
        await self._bank.mails()

    async def take(self, note: Note) -> None:
        """Do what a comment says."""
        if note.is_setting:
            if note.name == "wait":
                self._bank.now += timedelta(seconds=int(note.value))
            return
        call = _CALL.fullmatch(note.value)
        value = await self._called(call) if call else _at(self._last["data"], note.value)
        if note.name[0].isupper():
            self._tokens[note.name] = value
        else:
            self._values[note.name] = value

    async def _called(self, call: re.Match[str]) -> str:
        argument = call["argument"]
        if call["name"] == "totp":
            return self._bank.code(self._values[argument], int(call["steps"] or 0))
        if call["name"] == "passkey":
            return (
                self._device.use(self._values[argument])
                if self._device.user_handle
                else self._device.make(self._values[argument])
            )
        mail = [each for each in await self._bank.mails() if each["To"] == argument][-1]
        return code_in(mail)

    async def send(self, example: Example) -> Any:
        """Send an example, and return the answer. What the feed has is awaited where it is read."""
        [definition] = parse(example.document).definitions
        assert isinstance(definition, OperationDefinitionNode)
        variables = {
            name: self._values[name] for name in (each.variable.name.value for each in definition.variable_definitions or ())
        }
        token = self._tokens[example.who]
        headers = {"authorization": f"Bearer {token}"} if token else {}
        body = {"query": example.document, "variables": variables}
        assert definition.operation is not OperationType.SUBSCRIPTION
        self._last = (await self._http.post("/graphql", json=body, headers=headers)).json()
        return self._last


def _at(answer: Any, path: str) -> Any:
    for part in path.split("."):
        answer = answer[int(part)] if part.isdigit() else answer[part]
    return answer


@asynccontextmanager
async def _reading(settings: Settings) -> AsyncIterator[Reader]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jobs, "MAX_SECONDS", 3600)  # mails are sent when they are read
        bank = ClockedBank(settings.data_dir, now=BEGIN)
        bank.app = create_app(settings, clock=lambda: bank.now)
    async with bank.app.router.lifespan_context(bank.app):
        reader = Reader(bank)
        await reader.prepare()
        yield reader


async def answers_of(text: str, settings: Settings) -> list[Any]:
    """Execute the examples of a page on an empty database, and return their answers."""
    given = {step.name: step.value for step in steps(text) if isinstance(step, Note) and step.is_setting and step.name != "wait"}
    read = Settings.model_validate(given)
    typed = {name: getattr(read, name) for name in given}
    answers = []
    async with asyncio.timeout(100), _reading(settings.model_copy(update={**typed, "job_seconds": 3600})) as reader:
        for step in steps(text):
            if isinstance(step, Example):
                answers.append(await reader.send(step))
            else:
                await reader.take(step)
    return answers
