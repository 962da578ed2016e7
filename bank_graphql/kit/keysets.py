"""Sets of secret keys (JWK sets, RFC 7517), from a setting or from a file that only its owner can read."""

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
"""A JSON Web Key."""


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where a key set comes from: a setting, or a file that the bank manages. The first key of the set is the newest.

    Attributes:
        name: what messages call the keys, e.g. "signing keys".
        setting: the setting that can give the keys.
        generate: returns a new key, given the existing ones.
        configured: the value of the setting: a JWK set, or the path of a file that holds one. None if it is not set.
        file: the managed file, which is used when the setting is not, and is created with a first key when it is first read.
            None if the setting is required.
    """

    name: str
    setting: str
    generate: Callable[[Sequence[Key]], Key]
    configured: str | None
    file: Path | None

    def read(self) -> list[Key]:
        """Return the current keys.

        Raises:
            ConfigurationError: there are none, or they cannot be read.
        """
        try:
            keys = json.loads(self._text())["keys"]
        except OSError as error:
            raise ConfigurationError(f"The {self.name} cannot be read: {error.strerror}: {error.filename}.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise self.malformed from error
        if not (isinstance(keys, list) and keys and all(isinstance(key, dict) for key in keys)):
            raise self.malformed
        return keys

    @property
    def is_managed(self) -> bool:
        """Whether the keys are in a file that the bank manages, and so can change."""
        return self.configured is None and self.file is not None

    @property
    def location(self) -> str:
        """Where the keys are read from, for messages: the path of the managed file, or the name of the setting."""
        return str(self.file.resolve()) if self.configured is None and self.file is not None else self.setting

    @property
    def advice(self) -> str:
        """A sentence for messages about wrong keys, which says what to check."""
        return f"Check BANK_DATA_DIR, or set {self.setting}." if self.is_managed else f"Check {self.setting}."

    @property
    def malformed(self) -> ConfigurationError:
        """The error for text that is not a JWK set, or for keys of the wrong kind."""
        return ConfigurationError(f"The {self.name} are no JWK set with secret keys of the right kind ({self.location}).")

    def add(self) -> None:
        """Generate a key and put it first. The keys must be managed, and `locked`."""
        keys = self.read()
        self._write([self.generate(keys), *keys])

    def keep_newest(self, count: int) -> None:
        """Delete all keys but the newest `count`. The keys must be managed, and `locked`."""
        self._write(self.read()[:count])

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Prevent other processes from changing the managed keys inside a `with` block.

        Raises:
            ConfigurationError: the keys are not managed, or the file cannot be written.
        """
        file = self._managed_file()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.with_name(f".{file.name}.lock").open("w", encoding="utf-8") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise ConfigurationError(f"The {self.name} cannot be written: {error.strerror}: {error.filename}.") from error

    def _text(self) -> str:
        if self.configured is not None:
            is_key_set = self.configured.lstrip().startswith("{")
            return self.configured if is_key_set else Path(self.configured).read_text(encoding="utf-8")
        if self.file is None:
            raise ConfigurationError(f"No {self.name}: set {self.setting} to a JWK set or to the path of a file that holds one.")
        if not self.file.exists():
            self.file.parent.mkdir(parents=True, exist_ok=True)
            draft = self._write_draft([self.generate(())])
            with contextlib.suppress(FileExistsError):  # another process has created it first
                self.file.hardlink_to(draft)
            draft.unlink()
        return self.file.read_text(encoding="utf-8")

    def _managed_file(self) -> Path:
        if self.file is None or self.configured is not None:
            raise ConfigurationError(f"{self.setting} is set: change the keys there.")
        return self.file

    def _write(self, keys: Sequence[Key]) -> None:
        self._write_draft(keys).replace(self._managed_file())
        folder = os.open(self._managed_file().parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # or a power failure may undo the replacement, although data that needs the new keys is committed
        finally:
            os.close(folder)

    def _write_draft(self, keys: Sequence[Key]) -> Path:
        """Write the keys to a temporary file beside the managed one, which only its owner can read."""
        file = self._managed_file()
        draft = file.with_name(f".{file.name}.{os.getpid()}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as opened:
            json.dump({"keys": list(keys)}, opened)
            opened.flush()
            os.fsync(opened.fileno())
        return draft
