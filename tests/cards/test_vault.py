"""The vault: a sealed number opens for its own card and keys alone, and the master key is rotated on a live bank."""

import asyncio
import json
import secrets
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bank_graphql.cards import service
from bank_graphql.cards.rules import check_digit
from bank_graphql.cards.vault import SEALED, MasterKeys, Vault, master_keys, rotate
from bank_graphql.keys import card_keys, rotate_card_keys
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.kit.ids import uuid_of
from bank_graphql.settings import Settings
from tests.client import Client
from tests.policy import KEYS


@pytest.fixture
async def vault(db: Database, settings: Settings) -> Vault:
    return await Vault.open(db, card_keys(settings), "990055")


@pytest.fixture
async def card(ada: Client) -> str:
    return str((await ada.issue((await ada.open(deposit="1000"))["id"]))["id"])


def key_of(card: str) -> Any:
    return uuid_of(card, "Card")


async def test_new_numbers_have_the_bin_and_a_valid_check_digit(vault: Vault) -> None:
    numbers = {vault.new_number() for _ in range(500)}
    assert len(numbers) == 500
    assert all(number[:6] == "990055" and len(number) == 16 and check_digit(number[:-1]) == number[-1] for number in numbers)


async def test_hashes_and_security_codes_depend_on_the_vaults_keys(vault: Vault) -> None:
    number = vault.new_number()
    other = Vault(vault._masters, "990055", bytes(32), bytes(32), bytes(32))
    assert vault.hash_of(number) == vault.hash_of(number) != other.hash_of(number)
    codes = {vault.code_of(number, 2030, month) for month in range(1, 13)}
    assert len(codes) > 6
    assert all(len(code) == 3 and code.isdigit() for code in codes)
    assert codes != {other.code_of(number, 2030, month) for month in range(1, 13)}


async def test_a_sealed_number_opens_only_in_the_row_of_its_card(
    ada: Client, card: str, vault: Vault, db: Database, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    other = str((await ada.issue((await ada.open())["id"]))["id"])
    await raw.execute("ALTER TABLE card_secrets DISABLE TRIGGER USER")
    for column in ("sealed_number", "wrapped_key"):
        await raw.execute(
            f"UPDATE card_secrets SET {column} = (SELECT {column} FROM card_secrets WHERE card_id = $1) WHERE card_id = $2",
            key_of(other),
            key_of(card),
        )
        [row] = await db.fetch(SEALED, card=key_of(card))
        with pytest.raises((InvalidTag, ConfigurationError)):
            vault.number_of(row)


async def test_sealed_numbers_and_wrapped_keys_are_bound_to_their_card(
    ada: Client, card: str, vault: Vault, db: Database
) -> None:
    [row] = await db.fetch(SEALED, card=key_of(card))
    key = AESGCM(vault._masters.unwrap(row.wrapped_key, row.master_key, b"card key/" + row.card_id.bytes))
    nonce, sealed = row.sealed_number[:12], row.sealed_number[12:]
    assert key.decrypt(nonce, sealed, b"card number/" + row.card_id.bytes).decode() == vault.number_of(row)
    for other in (b"", b"card number/", b"card number/" + bytes(16)):
        with pytest.raises(InvalidTag):
            key.decrypt(nonce, sealed, other)


async def test_a_number_that_is_taken_is_drawn_again(ada: Client, card: str, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = (await ada.reveal(card))["number"]
    draw, drawn = service._new_numbers, []

    async def draw_the_same(connection: Connection, vault: Vault, count: int) -> list[str]:
        drawn.append(count)
        return [taken] if len(drawn) == 1 else await draw(connection, vault, count)

    monkeypatch.setattr(service, "_new_numbers", draw_the_same)
    account = (await ada.card(card))["account"]["id"]
    assert (await ada.issue(account))["__typename"] == "Card"
    assert drawn == [1, 1]


async def test_a_rotation_waits_for_cards_that_are_being_issued(
    ada: Client, card: str, settings: Settings, vault: Vault, db: Database, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

    async def issue(connection: Connection) -> None:
        assert await vault.in_use(connection) == "1"
        rotating.append(asyncio.create_task(rotate_card_keys(settings, db)))
        while not await raw.fetchval(waiting):
            assert not rotating[0].done()
            await asyncio.sleep(0.005)

    rotating: list[asyncio.Task[int]] = []
    await db.transact(issue)
    assert await rotating[0] == 1


async def test_a_vault_opens_only_with_the_keys_that_cards_were_stored_with(
    settings: Settings, vault: Vault, db: Database, tmp_path: Path
) -> None:
    assert (settings.data_dir / "keys" / "card-master-keys.json").stat().st_mode & 0o777 == 0o600
    message = r"^The card master key '1' in BANK_CARD_KEYS is not the one that cards were stored with\. Check BANK_CARD_KEYS\.$"
    with pytest.raises(ConfigurationError, match=message):
        await Vault.open(db, master_keys(KEYS, None), "990055")
    message = rf"'1' in {tmp_path}/elsewhere/card-master-keys\.json is not .*\. Check BANK_DATA_DIR, or set BANK_CARD_KEYS\.$"
    with pytest.raises(ConfigurationError, match=message):
        await Vault.open(db, master_keys(None, tmp_path / "elsewhere"), "990055")
    with pytest.raises(ConfigurationError, match=r"'1' is missing in BANK_CARD_KEYS\. Check BANK_CARD_KEYS\.$"):
        await Vault.open(db, master_keys(KEYS.replace('"1"', '"2"'), None), "990055")


@pytest.mark.parametrize(
    "given",
    [
        "{}", "{", '{"keys": []}', '{"keys": [{}]}', '{"keys": ["x"]}', "/no/such/file", None,
        KEYS.replace("MDEy", ""), KEYS.replace('"kid": "1", ', ""), KEYS.replace("oct", "EC"),
        json.dumps({"keys": json.loads(KEYS)["keys"] * 2}),
    ],
)  # fmt: skip
def test_unusable_keys_are_reported_in_one_line(given: str | None) -> None:
    with pytest.raises(ConfigurationError) as error:
        MasterKeys(master_keys(given, None))
    assert "\n" not in str(error.value)
    assert "Njc4" not in str(error.value)


class Traffic:
    """A customer who issues, reveals and uses cards while the master key is rotated again and again."""

    def __init__(self, ada: Client, card: str, secret: dict[str, Any], settings: Settings, db: Database) -> None:
        self.ada, self.settings, self.db = ada, settings, db
        self.first, self.issued, self.secrets = card, [card], {card: secret}
        self.path = settings.data_dir / "keys" / "card-master-keys.json"
        self.keys = [self.path.read_text()]
        self.done = asyncio.Event()

    async def run(self, rotations: int) -> None:
        async with asyncio.TaskGroup() as group:
            for work in (self.issue(), self.issue(), self.reveal(), self.pay(), self.rotate(rotations)):
                group.create_task(work)

    async def issue(self) -> None:
        account = (await self.ada.card(self.first))["account"]["id"]
        while not self.done.is_set():
            self.issued.append((await self.ada.issue(account))["id"])

    async def reveal(self) -> None:
        while not self.done.is_set():
            shown = secrets.choice(self.issued)
            secret = await self.ada.reveal(shown)
            assert secret["__typename"] == "CardSecrets"
            same = {"number": secret["number"], "securityCode": secret["securityCode"]}
            assert self.secrets.setdefault(shown, secret) | same == self.secrets[shown]

    async def pay(self) -> None:
        while not self.done.is_set():
            assert (await self.ada.authorize(self.secrets[self.first]["number"], "0.01"))["__typename"] == "MoneyMoved"

    async def rotate(self, rotations: int) -> None:
        for _ in range(rotations):
            before = len(self.issued)
            assert await rotate_card_keys(self.settings, self.db) >= 1
            self.keys.append(self.path.read_text())
            while len(self.issued) < before + 5:
                await asyncio.sleep(0)
        self.done.set()


async def test_the_master_key_is_rotated_under_traffic(
    ada: Client, card: str, settings: Settings, db: Database, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    traffic = Traffic(ada, card, await ada.reveal(card), settings, db)
    await traffic.run(rotations=8)
    stored = [json.loads(text)["keys"] for text in traffic.keys]
    assert [[key["kid"] for key in keys] for keys in stored] == [[str(n)] for n in range(1, 10)]
    assert await raw.fetchval("SELECT count(*) FROM audit_events WHERE action = 'rotateCardKeys'") == 8
    used = await raw.fetch("SELECT master_key FROM card_secrets UNION SELECT master_key FROM vault_keys")
    assert [row["master_key"] for row in used] == ["9"]
    sealed = [row for each in traffic.issued for row in await db.fetch(SEALED, card=key_of(each))]
    assert len(sealed) == len(traffic.issued) > 40
    # The old keys open nothing any more, even under the id of the new one.
    for [key] in stored[:-1]:
        old = MasterKeys(master_keys(json.dumps({"keys": [{**key, "kid": "9"}]}), None))
        for row in sealed:
            with pytest.raises(ConfigurationError):
                old.unwrap(row.wrapped_key, "9", b"card key/" + row.card_id.bytes)
    for each in traffic.issued:
        assert (await ada.reveal(each))["__typename"] == "CardSecrets"


async def test_a_rotation_wraps_the_keys_of_all_cards_anew(
    ada: Client, card: str, settings: Settings, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bank_graphql.cards.vault._BATCH_SIZE", 3)
    account = (await ada.card(card))["account"]["id"]
    issued = [card, *[(await ada.issue(account))["id"] for _ in range(9)]]
    assert await rotate_card_keys(settings, db) == 10
    for each in issued:
        [row] = await db.fetch(SEALED, card=key_of(each))
        assert row.master_key == "2"
        assert (await ada.reveal(each))["__typename"] == "CardSecrets"


async def test_an_interrupted_rotation_is_completed_by_the_next(ada: Client, card: str, settings: Settings, db: Database) -> None:
    source = card_keys(settings)
    secret = await ada.reveal(card)
    with source.locked():
        source.add()  # and the process ends
    assert await rotate_card_keys(settings, db) == 1
    assert [key["kid"] for key in source.read()] == ["2"]
    again = await ada.reveal(card)
    assert (again["number"], again["securityCode"]) == (secret["number"], secret["securityCode"])


async def test_a_rotation_of_configured_keys_is_to_the_first_of_them(
    ada: Client, card: str, settings: Settings, db: Database
) -> None:
    [present] = card_keys(settings).read()
    given = json.dumps({"keys": [*json.loads(KEYS.replace('"1"', '"new"'))["keys"], present]})
    source = master_keys(given, None)
    vault = await Vault.open(db, source, "990055")
    assert await rotate(db, vault, source) == 1
    alone = await Vault.open(db, master_keys(KEYS.replace('"1"', '"new"'), None), "990055")
    [row] = await db.fetch(SEALED, card=key_of(card))
    assert alone.number_of(row)[-4:] == (await ada.card(card))["last4"]
    with pytest.raises(ConfigurationError):
        await Vault.open(db, card_keys(settings), "990055")
