"""What tests of the API share."""

from collections.abc import AsyncIterator

import pytest

from bank_graphql.app import create_app
from bank_graphql.mail import jobs
from bank_graphql.settings import Settings
from tests.api.clocked import ClockedBank


@pytest.fixture
async def clocked(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ClockedBank]:
    """A bank whose clock the test sets, and which sends mails when the test asks for them."""
    monkeypatch.setattr(jobs, "MAX_SECONDS", 3600)
    made = ClockedBank(settings.data_dir)
    made.app = create_app(settings.model_copy(update={"job_seconds": 3600}), clock=lambda: made.now)
    async with made.app.router.lifespan_context(made.app):
        yield made
