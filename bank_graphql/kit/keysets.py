"""Sets of private keys (JWK sets, RFC 7517): given in a setting, or kept in a file that only we can read."""

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bank_graphql.kit.errors import ConfigurationError

Key = dict[str, Any]
"""A JWK."""


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where a key set comes from. The first of its keys is the newest.

    Attributes:
        what: what to call the keys, e.g. "signing keys".
        setting: the setting that may give them.
        make: a new key, given the older ones.
        given: what the setting says: a JWK set, or the path of a file that holds one; None if it is not set.
        file: where the keys are kept, and made at their first use, if they are not given; None if they must be.
    """

    what: str
    setting: str
    make: Callable[[Sequence[Key]], Key]
    given: str | None
    file: Path | None

    def read(self) -> list[Key]:
        """The keys as they are now.

        Raises:
            ConfigurationError: there are none, or they cannot be read.
        """
        try:
            keys = json.loads(self._text())["keys"]
        except OSError as error:
            raise ConfigurationError(f"The {self.what} cannot be read: {error.strerror}: {error.filename}.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise self.malformed from error
        if not (isinstance(keys, list) and keys and all(isinstance(key, dict) for key in keys)):
            raise self.malformed
        return keys

    @property
    def place(self) -> str:
        """Where the keys are looked for."""
        return str(self.file) if self.is_kept_here else self.setting

    @property
    def malformed(self) -> ConfigurationError:
        """What to say about a set that is none, or holds keys that are not fit for use."""
        return ConfigurationError(f"The {self.what} are no JWK set with secret keys of the right kind ({self.place}).")

    @property
    def is_kept_here(self) -> bool:
        """Whether the keys are in a file of our own, which we may change."""
        return self.given is None and self.file is not None

    def add(self) -> None:
        """Put a new key in front. The keys must be kept here, and `changing`."""
        keys = self.read()
        self._write([self.make(keys), *keys])

    def keep(self, how_many: int) -> None:
        """Drop all but so many of the newest keys. The keys must be kept here, and `changing`."""
        self._write(self.read()[:how_many])

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Keep other processes from changing the keys meanwhile.

        Raises:
            ConfigurationError: the file cannot be written.
        """
        file = self._file()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.with_name(f".{file.name}.lock").open("w", encoding="utf-8") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise ConfigurationError(f"The {self.what} cannot be written: {error.strerror}: {error.filename}.") from error

    def _text(self) -> str:
        if self.given is not None:
            return self.given if self.given.lstrip().startswith("{") else Path(self.given).read_text(encoding="utf-8")
        if self.file is None:
            raise ConfigurationError(f"No {self.what}: set {self.setting} to a JWK set or to the path of a file that holds one.")
        if not self.file.exists():
            self.file.parent.mkdir(parents=True, exist_ok=True)
            draft = self._draft([self.make(())])
            with contextlib.suppress(FileExistsError):  # another process was first
                self.file.hardlink_to(draft)
            draft.unlink()
        return self.file.read_text(encoding="utf-8")

    def _file(self) -> Path:
        if self.file is None or self.given is not None:
            raise ConfigurationError(f"{self.setting} is set: change the keys there.")
        return self.file

    def _write(self, keys: Sequence[Key]) -> None:
        self._draft(keys).replace(self._file())
        folder = os.open(self._file().parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # or the exchange may be lost with the power, though what depends on it is committed
        finally:
            os.close(folder)

    def _draft(self, keys: Sequence[Key]) -> Path:
        """A file that only we can read."""
        file = self._file()
        draft = file.with_name(f".{file.name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as opened:
            json.dump({"keys": list(keys)}, opened)
            opened.flush()
            os.fsync(opened.fileno())
        return draft
