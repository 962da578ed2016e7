"""The environment of the process and the file `.env`, as text. Only `settings` reads them, and says what they mean."""

import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from bank_graphql.kit.errors import ConfigurationError

FILE = ".env"
ENCODING = "utf-8-sig"
"""UTF-8, with or without a byte order mark, as some editors write one."""
SIGNING_ALGORITHM = "ES256"
_REPLACED = {
    "SECRET_KEY": "tokens are signed with a key pair: unset it to have one made in the data folder, or set BANK_SIGNING_KEYS",
}


class Environment(StrEnum):
    """Where the bank runs. `production` refuses settings that are for development only."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


class LogLevel(StrEnum):
    """The lowest severity that is logged."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"


def read() -> dict[str, str | None]:
    """Return the environment, and what the file sets beyond it.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    try:
        if Path(FILE).is_file():
            with Path(FILE).open(encoding=ENCODING) as file:
                wrong = [each.original.line for each in parse_stream(file) if each.error]
            if wrong:
                raise ConfigurationError(f"The file {FILE} cannot be read at line {wrong[0]}: it may lack a quotation mark.")
        return {**file_values(), **os.environ}
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"The file {FILE} is not text in UTF-8: save it as UTF-8.") from error
    except OSError as error:
        raise ConfigurationError(f"The file {FILE} cannot be read: {error.strerror}.") from error


def file_values() -> dict[str, str | None]:
    """Return what the file sets, as it is written there: a password may contain `${…}`."""
    return dotenv_values(FILE, encoding=ENCODING, interpolate=False)


def refuse_replaced(environment: Mapping[str, str | None]) -> None:
    """Refuse names of the REST service that have no meaning here.

    Raises:
        ConfigurationError: one is set. The message says what replaces it.
    """
    for name, instead in _REPLACED.items():
        if environment.get(name):
            raise ConfigurationError(f"{name} has no meaning here: {instead}.")
    if environment.get("ALGORITHM") not in {None, "", SIGNING_ALGORITHM}:
        raise ConfigurationError(f"ALGORITHM: access tokens are signed with {SIGNING_ALGORITHM}; unset it, or set it to that.")


def is_true(text: str | None) -> bool:
    """Return whether a switch of the REST service is on."""
    return (text or "").strip().lower() in {"1", "true", "yes", "on"}
