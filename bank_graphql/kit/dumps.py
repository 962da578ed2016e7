"""Dump a schema of a database into a file and load it, by PostgreSQL's own programs, encrypted by `age` if requested.

A file is complete or is not there: it is written beside its place, and moved there at the end. The programs run outside the event
loop, and get the database's password by their environment.
"""

import os
import secrets
import shutil
import subprocess
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

from bank_graphql.kit.dsn import without_password
from bank_graphql.kit.embedded import program
from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.kit.postgres_process import last_error

Report = Callable[[int], None]
"""Called with the number of bytes so far."""
_CHUNK = 1024 * 1024
_BROKEN_PIPE = b"Broken pipe"
"""How the complaint of a program ends that wrote to one that had failed."""
_ENCRYPTED = b"age-encryption.org/"
"""What a file that `age` has encrypted begins with."""


def dump(dsn: str, path: Path, *, schema: str, recipient: str | None, report: Report) -> int:
    """Dump a schema into a new file, in the custom format of `pg_dump`, without owners and rights.

    Args:
        dsn: the database.
        path: the file.
        schema: the schema's name.
        recipient: the public key of `age` to encrypt it for; None for no encryption.
        report: called while it is written.

    Returns:
        The size of the file, in bytes.

    Raises:
        ConfigurationError: the file exists or cannot be written, a program is missing, or the dump failed.
    """
    address, variables = without_password(dsn)
    flags = ["--format=custom", f"--schema={schema}", "--no-owner", "--no-privileges"]
    commands = [[program("pg_dump", dsn), *flags, f"--dbname={address}"]]
    if recipient is not None:
        commands.append([_age(), "--encrypt", "--recipient", recipient])
    draft = path.with_name(f".bank-{secrets.token_hex(8)}.part")
    try:
        if path.exists():
            raise ConfigurationError(f"{path} exists already, and is not overwritten: choose another file.")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            size = _run(commands, None, file, variables, report, "The backup failed")
            os.fsync(file.fileno())
        # Unlike a rename, this fails if somebody has made the file meanwhile.
        os.link(draft, path)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        with suppress(OSError):
            draft.unlink()
    return size


def load(dsn: str, path: Path, *, schema: str, identity: Path | None, report: Report) -> None:
    """Load what a dump has of a schema into that schema, which is empty, in one transaction.

    Args:
        dsn: the database, as the owner of its schema.
        path: the file.
        schema: the schema's name.
        identity: the file with the private key of `age`; None if the dump is not encrypted.
        report: called while it is read.

    Raises:
        ConfigurationError: the file cannot be read or decrypted, a program is missing, or the load failed and had no effect.
    """
    address, variables = without_password(dsn)
    # As a script, for pg_restore sets what servers older than itself do not know. Rows, which may be any text, come after COPY.
    commands = [
        [program("pg_restore", dsn), f"--schema={schema}", "--no-owner", "--no-privileges", "--file=-"],
        ["sed", "1,/^COPY /{/^SET transaction_timeout = 0;$/d;}"],
        [program("psql", dsn), "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", f"--dbname={address}"],
    ]
    try:
        with path.open("rb") as file:
            is_encrypted = file.read(len(_ENCRYPTED)) == _ENCRYPTED
            file.seek(0)
            if is_encrypted and identity is None:
                raise ConfigurationError(f"{path} is encrypted: give the file of age's private key with --identity.")
            if is_encrypted:
                commands.insert(0, [_age(), "--decrypt", "--identity", str(identity)])
            _run(commands, file, None, variables, report, f"{path} cannot be restored")
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from error


def require_readable(path: Path) -> None:
    """Make sure that a file can be read.

    Raises:
        ConfigurationError: it cannot.
    """
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}.") from error


def _age() -> str:
    found = shutil.which("age")
    if found is None:
        raise ConfigurationError("Encryption needs the program 'age': install it (its package has the same name).")
    return found


def _run(
    commands: Sequence[Sequence[str]],
    source: "IO[bytes] | None",
    target: "IO[bytes] | None",
    variables: dict[str, str],
    report: Report,
    what: str,
) -> int:
    """Run programs, each of which reads what the one before it writes; return how many bytes went through them.

    Args:
        commands: the programs.
        source: what the first one reads.
        target: where the output of the last one goes.
        variables: of their environment, beside those of this process.
        report: called with the bytes so far.
        what: what failed if one of them fails.

    Raises:
        ConfigurationError: one of them failed.
    """
    running: list[subprocess.Popen[bytes]] = []
    with ExitStack() as stack:
        for command in commands:
            is_first = not running
            process = subprocess.Popen[bytes](
                command,
                stdin=(subprocess.PIPE if source else subprocess.DEVNULL) if is_first else running[-1].stdout,
                stdout=subprocess.PIPE if target or len(running) < len(commands) - 1 else subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={**os.environ, **variables},
            )
            if not is_first and running[-1].stdout is not None:
                running[-1].stdout.close()  # it belongs to the next program now, which must see its end
            running.append(stack.enter_context(process))
        size = _copy(source or running[-1].stdout, target or running[0].stdin, report)
        if source and running[0].stdin is not None:
            with suppress(BrokenPipeError):
                running[0].stdin.close()
        outputs = [each.stderr.read() if each.stderr else b"" for each in running]
    codes = [each.returncode for each in running]
    for code, output in zip(codes, outputs, strict=True):
        if code > 0 and output and not output.rstrip().endswith(_BROKEN_PIPE):
            raise ConfigurationError(f"{what}: {last_error(output.splitlines())}.")
    if any(codes):
        raise ConfigurationError(f"{what}.")
    return size


def _copy(source: "IO[bytes] | None", target: "IO[bytes] | None", report: Report) -> int:
    size = 0
    while source is not None and target is not None and (chunk := source.read(_CHUNK)):
        try:
            target.write(chunk)
        except BrokenPipeError:  # the program has ended, and says why
            break
        size += len(chunk)
        report(size)
    return size
