"""Where the bank's keys come from, by its settings: in production from these alone, otherwise from the data folder too."""

from pathlib import Path

from bank_graphql.audit import service as audit
from bank_graphql.cards.vault import Vault, master_keys, rotate
from bank_graphql.environment import Environment
from bank_graphql.identity.tokens import signing_keys
from bank_graphql.kit.db import Database
from bank_graphql.kit.keysets import KeySource
from bank_graphql.settings import Settings


def keys_of_tokens(settings: Settings) -> KeySource:
    """Return the source of the keys that sign access tokens."""
    return signing_keys(settings.signing_keys.get_secret_value() if settings.signing_keys else None, _folder(settings))


def card_keys(settings: Settings) -> KeySource:
    """Return the source of the cards' master keys."""
    given = settings.card_keys.get_secret_value() if settings.card_keys else None
    return master_keys(given, _folder(settings))


async def rotate_card_keys(settings: Settings, db: Database) -> int:
    """Rotate the cards' master key while the bank runs; return how many cards' keys were wrapped again.

    Raises:
        ConfigurationError: the keys cannot be read or written, or one is missing.
    """
    source = card_keys(settings)
    rotated = await rotate(db, await Vault.open(db, source, settings.card_bin), source)
    record = audit.Record(None, "rotateCardKeys")
    await db.transact(lambda connection: audit.write(connection, [record]))
    return rotated


def _folder(settings: Settings) -> Path | None:
    return None if settings.env is Environment.PRODUCTION else settings.data_dir / "keys"
