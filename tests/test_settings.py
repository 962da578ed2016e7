"""Settings, and the messages about wrong ones."""

import os
import re
from pathlib import Path

import pytest

from bank_graphql import settings
from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.settings import Settings


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without settings."""
    for name in list(os.environ):
        if name.startswith("BANK_") or name in {
            "DATABASE_URL",
            "SECRET_KEY",
            "ALGORITHM",
            "ACCESS_TOKEN_EXPIRE_MINUTES",
            "DEBUG",
        }:
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_a_laptop_needs_no_settings() -> None:
    loaded = settings.load()
    assert loaded.external_dsn is None
    assert loaded.is_sandbox
    assert loaded.is_demo


def test_an_external_database_is_no_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://u:p@db/bank")
    loaded = settings.load()
    assert loaded.external_dsn == "postgresql://u:p@db/bank"
    assert not loaded.is_sandbox
    assert not loaded.is_demo
    assert "p@db" not in repr(loaded)
    monkeypatch.setenv("BANK_SANDBOX", "true")
    assert settings.load().is_sandbox


def test_the_names_of_the_rest_service_still_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql+asyncpg://u:p@db/bank")
    monkeypatch.setenv("ACCESS_TOKEN_EXPIRE_MINUTES", "5")
    monkeypatch.setenv("ALGORITHM", "ES256")
    monkeypatch.setenv("DEBUG", "true")
    loaded = settings.load()
    assert loaded.external_dsn == "postgresql://u:p@db/bank"
    assert loaded.access_token_minutes == 5
    assert loaded.log_level == "DEBUG"


def test_the_environment_overrides_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("BANK_PORT=9001\nBANK_HOST=127.0.0.2\nSOMETHING_ELSE=1\n", encoding="utf-8")
    monkeypatch.setenv("BANK_PORT", "9002")
    loaded = settings.load()
    assert (loaded.port, loaded.host) == (9002, "127.0.0.2")
    assert settings.load(port=9003).port == 9003


@pytest.mark.parametrize("quote", ["", "'", '"'])
def test_values_of_the_file_are_taken_as_they_are_written(monkeypatch: pytest.MonkeyPatch, quote: str) -> None:
    monkeypatch.setenv("x", "replaced")
    Path(".env").write_text(f"DATABASE_URL={quote}postgresql://u:a${{x}}b${{y:-z}}$x@db/bank{quote}\n", encoding="utf-8")
    loaded = settings.load()
    assert loaded.database_url is not None
    assert loaded.database_url.get_secret_value() == "postgresql://u:a${x}b${y:-z}$x@db/bank"
    assert loaded.external_dsn == "postgresql://u:a%24%7Bx%7Db%24%7By%3A-z%7D%24x@db/bank"
    Path(".env").write_text(f"SECRET_KEY={quote}${{y}}{quote}\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="SECRET_KEY"):
        settings.load()


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("BANK_PORT", "http", "BANK_PORT"),
        ("BANK_PORT", "70000", "BANK_PORT"),
        ("BANK_ENV", "staging", "BANK_ENV"),
        ("BANK_ENV", "production", "DATABASE_URL"),
        ("BANK_POOL_MAX_SIZE", "1", "BANK_POOL_MAX_SIZE"),
        ("BANK_POOL_MIN_SIZE", "400", "BANK_POOL_MIN_SIZE"),
        ("BANK_IBAN_COUNTRY", "Germany", "BANK_IBAN_COUNTRY"),
        ("BANK_TIME_ZONE", "Mars/Olympus", "BANK_TIME_ZONE"),
        ("BANK_CARD_TOLERANCES", "5812:101", "BANK_CARD_TOLERANCES"),
        ("BANK_CARD_TOLERANCES", "restaurants:20", "BANK_CARD_TOLERANCES"),
        ("BANK_LOG_LEVEL", "loud", "BANK_LOG_LEVEL"),
        ("ACCESS_TOKEN_EXPIRE_MINUTES", "soon", "ACCESS_TOKEN_MINUTES"),
        ("DATABASE_URL", "mysql://u:hunter2@db/bank", "DATABASE_URL"),
        ("DATABASE_URL", "hunter2", "DATABASE_URL"),
        ("SECRET_KEY", "hunter2", "BANK_SIGNING_KEYS"),
        ("ALGORITHM", "HS256", "ES256"),
    ],
)
def test_wrong_settings_are_reported_in_one_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str, named: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as error:
        settings.load()
    assert named in str(error.value)
    assert "\n" not in str(error.value)
    assert "hunter2" not in str(error.value)


def test_production_needs_keys_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BANK_ENV", "production")
    monkeypatch.setenv("DATABASE_URL", "postgresql://db/bank")
    with pytest.raises(ConfigurationError, match="BANK_SIGNING_KEYS"):
        settings.load()
    monkeypatch.setenv("BANK_SIGNING_KEYS", "{}")
    with pytest.raises(ConfigurationError, match="BANK_CARD_KEYS"):
        settings.load()


def test_each_setting_is_documented() -> None:
    root = Path(__file__).parent.parent
    example, page = (root / ".env.example").read_text(), (root / "docs" / "reference" / "settings.md").read_text()
    comments = example.replace("\n# ", " ")
    for name, field in Settings.model_fields.items():
        variable = "DATABASE_URL" if name == "database_url" else f"BANK_{name.upper()}"
        assert field.description, name
        assert f"{field.description}\n#{variable}=" in comments, variable
        assert re.search(rf"^\| `{variable}` \|.*\| {re.escape(field.description)} \|$", page, re.MULTILINE), variable


def test_a_malformed_database_address_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "BANK_OWNER_DATABASE_URL"):
        monkeypatch.setenv(name, "postgresql://bank:hunter2/3@db/bank")
        with pytest.raises(ConfigurationError, match=rf"^{name} cannot be read") as error:
            settings.load()
        assert "hunter2" not in str(error.value)
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("host", "port", "address"),
    [
        ("127.0.0.1", 8001, "http://127.0.0.1:8001"),
        ("0.0.0.0", 8000, "http://127.0.0.1:8000"),  # noqa: S104 - not bound to
        ("::1", 8000, "http://[::1]:8000"),
        ("::", 8000, "http://[::1]:8000"),
        ("bank.example", 80, "http://bank.example:80"),
    ],
)
def test_the_issuer_follows_host_and_port(monkeypatch: pytest.MonkeyPatch, host: str, port: int, address: str) -> None:
    monkeypatch.setenv("BANK_HOST", host)
    monkeypatch.setenv("BANK_PORT", str(port))
    assert settings.load().address == address
    monkeypatch.setenv("BANK_PUBLIC_URL", "https://bank.example")
    assert settings.load().address == "https://bank.example"


@pytest.mark.parametrize("content", ["BANK_PORT=9001\n".encode("utf-16"), b"BANK_PORT=\xff\xfe\n", b"\x80\x81"])
def test_a_file_that_is_not_text_is_reported_in_one_line(content: bytes) -> None:
    Path(".env").write_bytes(content)
    for read in (settings.load, settings.unknown):
        with pytest.raises(ConfigurationError, match=r"^The file \.env is not text in UTF-8: save it as UTF-8\.$"):
            read()


def test_a_file_with_a_byte_order_mark_is_read() -> None:
    Path(".env").write_bytes(b"\xef\xbb\xbfBANK_PORT=9001\n")
    assert settings.load().port == 9001
    assert settings.unknown() == []


@pytest.mark.parametrize("content", ['BANK_PORT=9001\nDATABASE_URL="postgresql://u:hunter2@db/bank\n', "BANK_PORT='9001\n"])
def test_a_malformed_line_of_the_file_is_reported(content: str) -> None:
    Path(".env").write_text(content, encoding="utf-8")
    line = content.count("\n")
    with pytest.raises(
        ConfigurationError, match=rf"^The file \.env cannot be read at line {line}: it may lack a quotation mark\.$"
    ):
        settings.load()
