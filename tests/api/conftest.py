"""What tests of the API share."""

from collections.abc import AsyncIterator

import pytest

from bank_graphql.app import create_app
from bank_graphql.settings import Settings
from tests.api.clocked import ClockedBank


@pytest.fixture
async def clocked(settings: Settings) -> AsyncIterator[ClockedBank]:
    """A bank whose clock the test sets."""
    made = ClockedBank(settings.data_dir)
    made.app = create_app(settings, clock=lambda: made.now)
    async with made.app.router.lifespan_context(made.app):
        yield made
