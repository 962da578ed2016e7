"""The commands for files of payments."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from bank_graphql import serving
from bank_graphql import settings as configuration
from bank_graphql.kit.files import replace_text
from bank_graphql.kit.terminal import fail
from bank_graphql.messages import service
from bank_graphql.messages.pain001 import InvalidFileError
from bank_graphql.messages.service import Imported


def import_pain001(
    path: Annotated[Path, typer.Argument(help="The file of a customer: a credit transfer initiation, pain.001.001.09.")],
    report: Annotated[
        Path | None, typer.Option(help="The file for the answer, pain.002.001.12. By default standard output.")
    ] = None,
) -> None:
    """Make the payments of a customer's file, and write what became of each. Repeating it makes no payment twice."""
    settings = configuration.load()
    try:
        data = path.read_bytes()
    except OSError as error:
        fail(f"{path} cannot be read: {error.strerror}.")

    async def work() -> Imported:
        async with serving.existing_bank(settings) as bank:
            return await service.import_initiation(bank.db, bank.execute, bank.clock, bank.policy.clearing.days, data)

    try:
        imported = asyncio.run(work())
    except InvalidFileError as error:
        fail(f"{path} was not imported: {error}")
    if report is None:
        sys.stdout.buffer.write(imported.report)
        sys.stdout.buffer.flush()
    else:
        try:
            replace_text(report, imported.report.decode())
        except OSError as error:
            fail(f"{report} cannot be written: {error.strerror}. The payments were made: repeat the command for the answer.")
    print(f"Accepted payments: {imported.accepted}. Rejected: {imported.rejected}.", file=sys.stderr)


def export_clearing(
    folder: Annotated[Path, typer.Argument(help="The folder to write the files to: pacs.008.001.08, one for each currency.")],
    message: Annotated[UUID | None, typer.Option(help="Write the file with this identification once more.")] = None,
) -> None:
    """Write files of the payments to other banks that are to be settled next. A payment is in one file only."""
    settings = configuration.load()

    async def work() -> list[tuple[Path, int]]:
        async with serving.existing_bank(settings) as bank:
            if message is None:
                days = bank.policy.clearing.days
                return await service.export_clearing(bank.db, bank.clock, days, settings.own_bic, folder)
            written = await service.export_again(bank.db, settings.own_bic, folder, message)
            return [] if written is None else [written]

    try:
        files = asyncio.run(work())
    except OSError as error:
        fail(f"{folder} cannot be written to: {error.strerror}. Repeat the command when it can.")
    if message is not None and not files:
        fail(f"There is no file {message}.")
    for path, count in files:
        print(f"{path}: payments: {count}")
    if not files:
        print("There is nothing to send.")
