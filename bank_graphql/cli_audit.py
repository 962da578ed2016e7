"""The commands about the audit and the verification of the bank."""

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from bank_graphql import serving
from bank_graphql import settings as configuration
from bank_graphql.audit.jobs import STANDARD_OUTPUT, AuditRewrittenError, Exporter, require_writable
from bank_graphql.audit.sealing import SealingDelayedError, seal_events
from bank_graphql.audit.verification import ExportedHeads
from bank_graphql.bank import CHECKS
from bank_graphql.kit.checks import Examination, Finding
from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.terminal import fail
from bank_graphql.ledger import verification


def verify(
    checkpoints: Annotated[Path | None, typer.Option(help="Also compare the audit with the checkpoints in this file.")] = None,
) -> None:
    """Recompute the books and the audit, and compare.

    The ledger is recomputed from its entries, and the audit's chain of hashes from its events. Exits with 1 if anything is wrong.
    """
    settings = configuration.load()
    exported = None if checkpoints is None else _text_of(checkpoints)

    async def work() -> list[Finding]:
        async with serving.existing_bank(settings) as bank:
            checks: list[Examination] = list(CHECKS)
            if exported is not None:
                found, problem = bank.audit_signer.read(exported)
                checks.append(ExportedHeads(found, problem or (None if found else "there is no checkpoint in the file")))
            with suppress(SealingDelayedError):  # then the verification says so
                await seal_events(bank.db)
            findings = await verification.verify(bank.db, checks, print_finding)
            await verification.record(bank.db, findings, utc_now())
            return findings

    if not all(finding.ok for finding in asyncio.run(work())):
        raise typer.Exit(1)


def audit_checkpoint(
    path: Annotated[str, typer.Argument(help="The file to add it to; - for standard output.")] = STANDARD_OUTPUT,
) -> None:
    """Export a checkpoint of the audit.

    A checkpoint says how many events the audit has, and the hash of all of them, signed. Keep it on another machine: `verify
    --checkpoints` compares the audit with it.
    """
    settings = configuration.load()
    if path == STANDARD_OUTPUT and sys.stdout is None:
        fail("Standard output is closed: name a file.")

    async def work() -> int:
        async with serving.existing_bank(settings) as bank:
            require_writable(path)
            await seal_events(bank.db)
            return await Exporter(bank.db, bank.audit_signer, path).export()

    try:
        exported = asyncio.run(work())
    except (SealingDelayedError, AuditRewrittenError) as error:
        fail(str(error))
    except OSError as error:
        fail(f"{'standard output' if path == STANDARD_OUTPUT else path} cannot be written: {error.strerror}.")
    if not exported:
        fail("The audit has no events yet.")
    if path != STANDARD_OUTPUT:
        print(f"{path} has a checkpoint of {exported} events now.")


def audit_key() -> None:
    """Print the public key of checkpoints.

    It is in the form that tools for signed notes (C2SP) read.
    """
    settings = configuration.load()

    async def work() -> str:
        async with serving.existing_bank(settings) as bank:
            return bank.audit_signer.verifier

    print(asyncio.run(work()))


def print_finding(finding: Finding) -> None:
    """Print a line for a check, and one for what it found wrong."""
    try:
        print(f"{'ok   ' if finding.ok else 'WRONG'} {finding.name}: {finding.examined} examined", flush=True)
        if finding.first_problem is not None:
            print(f"      {finding.first_problem}", flush=True)
    except BrokenPipeError:  # the reader, such as head, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{path} cannot be read: {error.strerror if isinstance(error, OSError) else 'it is no text in UTF-8'}.")
