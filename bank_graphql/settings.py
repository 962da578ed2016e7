"""The bank's settings. Only this module has the environment read; all others are given what they need.

A setting is read from the environment, under its name in capitals with the prefix `BANK_`, or from the file `.env`. Some names of
the REST service that the bank replaces still work. Others are refused, with a line that says what replaces them.
"""

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, DotEnvSettingsSource, PydanticBaseSettingsSource

from bank_graphql import environment
from bank_graphql.environment import Environment, LogLevel
from bank_graphql.kit.dsn import parse_dsn
from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.setting_fields import SettingFields

_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]*[a-z][a-z0-9-]*)*", re.ASCII)
_ADDRESS = re.compile(r"[^\s@<>]+@[^\s@<>]+")
_SCHEMA = re.compile(r"(?!pg_|information_schema$)[a-z_][a-z0-9_]{0,39}", re.ASCII)
_TOLERANCE = re.compile(r"[0-9]{4}:[0-9]{1,3}", re.ASCII)


class Settings(SettingFields):
    """All settings, checked, and what follows from them."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - as pydantic-settings calls it
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take the file's values as they are written: pydantic-settings replaces `${…}` in them, and has no option for that."""
        if isinstance(dotenv_settings, DotEnvSettingsSource) and dotenv_settings.env_file is not None:
            dotenv_settings.env_vars = {name.lower(): value for name, value in environment.file_values().items() if value}
        return init_settings, env_settings, dotenv_settings, file_secret_settings

    @field_validator("log_level", mode="before")
    @classmethod
    def _in_capitals(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @field_validator("time_zone")
    @classmethod
    def _require_time_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("there is no such time zone: give one like Europe/Berlin") from error
        return value

    @field_validator("database_schema")
    @classmethod
    def _require_schema(cls, value: str) -> str:
        if not _SCHEMA.fullmatch(value):
            raise ValueError("give at most 40 small letters, digits and underscores, which do not begin with 'pg_' or a digit")
        return value

    @field_validator("passkey_domain")
    @classmethod
    def _require_domain(cls, value: str | None) -> str | None:
        if value is not None and not (_DOMAIN.fullmatch(value) and (value == "localhost" or "." in value.strip("."))):
            raise ValueError(
                "give a domain alone, in small letters, as in example.com: no scheme, no port, no number of an address"
            )
        return value

    @field_validator("mail_from")
    @classmethod
    def _require_address(cls, value: str | None) -> str | None:
        if value is not None and not _ADDRESS.fullmatch(value):
            raise ValueError("give an address alone, as in bank@example.com")
        return value

    @field_validator("staff_networks")
    @classmethod
    def _require_networks(cls, value: str) -> str:
        for each in _split(value):
            try:
                ip_network(each)
            except ValueError as error:
                raise ValueError("networks are addresses with the length of their prefix: 10.0.0.0/8,2001:db8::/32") from error
        return value

    @field_validator("card_tolerances")
    @classmethod
    def _require_tolerances(cls, value: str) -> str:
        if any(not _TOLERANCE.fullmatch(each) or int(each[5:]) > 100 for each in _split(value)):
            raise ValueError("tolerances are a category and at most 100 per cent each: 5812:20,7011:15")
        return value

    @model_validator(mode="after")
    def _require_consistency(self) -> Self:
        if self.env is Environment.PRODUCTION:
            for setting, value, other in (
                ("DATABASE_URL", self.database_url, "the embedded database is"),
                ("BANK_SIGNING_KEYS", self.signing_keys, "generated keys are"),
                ("BANK_CARD_KEYS", self.card_keys, "generated keys are"),
            ):
                if value is None:
                    raise ValueError(f"BANK_ENV=production needs {setting}: {other} for development")
            if self.demo:
                raise ValueError("BANK_DEMO is for development: the demo customers' password is public")
        if self.staff_networks and "*" in _split(self.trusted_proxies):
            raise ValueError("BANK_STAFF_NETWORKS needs named BANK_TRUSTED_PROXIES: with * clients choose their own address")
        if self.smtp_url is not None and self.mail_from is None:
            raise ValueError("BANK_SMTP_URL needs BANK_MAIL_FROM, the address that mails come from")
        if self.trusted_only and self.trusted_documents is None:
            raise ValueError("BANK_TRUSTED_ONLY needs BANK_TRUSTED_DOCUMENTS: nothing could be executed")
        if self.metrics_port is not None and self.metrics_port == self.port:
            raise ValueError("BANK_METRICS_PORT is the bank's own port: choose another")
        if self.pool_min_size > self.pool_max_size:
            raise ValueError("BANK_POOL_MIN_SIZE is larger than BANK_POOL_MAX_SIZE")
        return self

    @model_validator(mode="after")
    def _require_own_domain(self) -> Self:
        hosts = [urlsplit(each).hostname or "" for each in self.passkey_origins]
        domain = self.passkeys_domain
        if self.passkey_domain and not any(host == domain or host.endswith(f".{domain}") for host in hosts):
            raise ValueError("BANK_PASSKEY_DOMAIN is neither the domain of BANK_PUBLIC_URL nor of one of BANK_ALLOWED_ORIGINS")
        return self

    @property
    def is_sandbox(self) -> bool:
        """Whether account owners may deposit, withdraw and play the card network themselves."""
        return self.database_url is None if self.sandbox is None else self.sandbox

    @property
    def own_bic(self) -> str:
        """The bank's BIC: the given one, or a test code of its country (whose eighth character is 0)."""
        return self.bic or f"BANK{self.iban_country}X0"

    @property
    def address(self) -> str:
        """The bank's own address: `public_url`, or where it listens, as a browser on this machine can open it."""
        if self.public_url is not None:
            return self.public_url
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, f"[{self.host}]" if ":" in self.host else self.host)  # noqa: S104
        return f"http://{host}:{self.port}"

    @property
    def cost_per_minute(self) -> int:
        """The cost of the requests that a signed-in user may send a minute."""
        return self.rate_limit or (100_000_000 if self.is_sandbox else 1_000_000)

    @property
    def drain_for(self) -> float:
        """How many seconds a process goes on to serve after SIGTERM."""
        return (5 if self.env is Environment.PRODUCTION else 0) if self.drain_seconds is None else self.drain_seconds

    @property
    def is_demo(self) -> bool:
        """Whether an empty bank is filled with demo customers. Only a sandbox may be, because their password is public."""
        return self.is_sandbox and (self.database_url is None if self.demo is None else self.demo)

    @property
    def shows_schema(self) -> bool:
        """Whether clients may learn the schema."""
        return self.env is not Environment.PRODUCTION if self.introspection is None else self.introspection

    @property
    def networks_of_staff(self) -> list[IPv4Network | IPv6Network]:
        """The networks from which staff may act; empty for any."""
        return [ip_network(each) for each in _split(self.staff_networks)]

    @property
    def origins(self) -> list[str]:
        """The web origins that may call the API."""
        return [origin for each in _split(self.allowed_origins) if (origin := each.rstrip("/"))]

    @property
    def passkeys_domain(self) -> str:
        """The domain for which passkeys are made. Addresses have none, but this machine is `localhost`."""
        host = urlsplit(self.address).hostname or ""
        return self.passkey_domain or ("localhost" if host in {"127.0.0.1", "::1"} else host)

    @property
    def passkey_origins(self) -> list[str]:
        """The web origins that may ask for passkeys: the bank's own, and those that may call the API."""
        own = urlsplit(self.address)
        local = [f"{own.scheme}://localhost:{own.port}"] if self.passkeys_domain == "localhost" else []
        return [f"{own.scheme}://{own.netloc}", *local, *self.origins]

    @property
    def tolerances(self) -> dict[str, int]:
        """The percentage that may be captured beyond the authorised amount, by merchant category."""
        return {each[:4]: int(each[5:]) for each in _split(self.card_tolerances)}

    @property
    def external_dsn(self) -> str | None:
        """The external database, in a form that both the driver and psql accept; None for the embedded one."""
        return _dsn(self.database_url, "DATABASE_URL")

    @property
    def owner_dsn(self) -> str | None:
        """The external database as the owner of its schema; None if it is not set."""
        return _dsn(self.owner_database_url, "BANK_OWNER_DATABASE_URL")

    @property
    def replica_dsn(self) -> str | None:
        """The replica of the database; None if there is none."""
        return _dsn(self.replica_url, "BANK_REPLICA_URL")


def _split(text: str) -> list[str]:
    return [each.strip() for each in text.split(",") if each.strip()]


def _dsn(url: SecretStr | None, setting: str) -> str | None:
    return None if url is None else parse_dsn(url.get_secret_value(), setting)


def load(*, host: str | None = None, port: int | None = None, demo: bool | None = None, migrate: bool | None = None) -> Settings:
    """Return the settings of this process. The arguments override the environment; None does not.

    Raises:
        ConfigurationError: a setting is malformed, or the bank no longer has it.
    """
    given_there = environment.read()
    environment.refuse_replaced(given_there)
    overrides = {"host": host, "port": port, "demo": demo, "migrate": migrate}
    given: dict[str, Any] = {name: value for name, value in overrides.items() if value is not None}
    if "BANK_LOG_LEVEL" not in given_there and environment.is_true(given_there.get("DEBUG")):
        given.setdefault("log_level", LogLevel.DEBUG)
    try:
        settings = Settings(**given)
    except ValidationError as error:
        raise ConfigurationError(" ".join(_explain(problem) for problem in error.errors())) from error
    _ = settings.external_dsn, settings.owner_dsn, settings.replica_dsn  # raises if an address is malformed
    return settings


def unknown() -> list[str]:
    """Return the names in the environment that have the prefix of settings but are not settings of the bank."""
    known = {f"BANK_{name.upper()}" for name in Settings.model_fields}
    return sorted(name for name in environment.read() if name.startswith("BANK_") and name not in known)


def _explain(problem: ErrorDetails) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else ""
    variable = f"{name if name.isupper() else 'BANK_' + name.upper()}: " if name else ""
    return f"{variable}{problem['msg'].removeprefix('Value error, ')}."
