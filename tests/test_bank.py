"""Putting the rooms together."""

import pytest

from bank_graphql import bank
from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.settings import Settings


async def test_a_lock_table_too_small_for_full_batches_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank, "LOCKS_PER_COMMAND", 10**6)
    with pytest.raises(ConfigurationError, match="max_locks_per_transaction"):
        await bank.open_bank(settings).__aenter__()
