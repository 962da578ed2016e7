"""Makes the payments of a customer's initiation, and files of payments for the clearing."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from bank_graphql.accounts.enums import AccountStatus
from bank_graphql.accounts.errors import AccountStatusRefused
from bank_graphql.audit import service as audit
from bank_graphql.clearing.models import ClearingMessage
from bank_graphql.clearing.rules import RETURN_REASONS, BusinessDays, check_account
from bank_graphql.identity.enums import UserStatus
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import Forbidden, NotFound, Refusal, ValidationFailed
from bank_graphql.kit.files import replace_text
from bank_graphql.kit.ids import lock_key, new_id
from bank_graphql.kit.money import CURRENCY_DIGITS, MAX_AMOUNT, Money
from bank_graphql.kit.statements import Insert
from bank_graphql.kit.text import check_line
from bank_graphql.ledger.enums import TransactionStatus
from bank_graphql.ledger.errors import CurrencyMismatch, InsufficientFunds
from bank_graphql.messages import pacs008, pain002, queries
from bank_graphql.messages.pain001 import Initiation, Instruction, Totals, read
from bank_graphql.messages.pain002 import Report, Status
from bank_graphql.messages.queries import DebtorRow, MessageRow, SentRow, StatusRow
from bank_graphql.payments.commands import DESCRIPTION_MAX, Destination, Transfer
from bank_graphql.payments.errors import IdempotencyConflict
from bank_graphql.payments.groups import GROUP_MAX, Group
from bank_graphql.payments.outcomes import Moved, Outcome

_INSERT_MESSAGE = Insert(ClearingMessage, "id", "currency", "settles_on", "created_at")
MAX_AGE = timedelta(days=30)
"""How old the date of a payment may be: shorter than keys are stored, by which a file that comes again is recognised."""
MAX_PAYMENTS = 10_000
"""How many payments a file for the clearing has, at most."""
_METHOD = "TRF"
_NO_REASON = "MS03"
Execute = Callable[[Group], Awaitable[list[Outcome]]]


@dataclass(frozen=True, slots=True)
class Rejected(Exception):  # noqa: N818 - like a refusal, it is an answer
    """A credit transfer is rejected before it becomes a command; the reason is a code of ISO 20022."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of an initiation: how many credit transfers were accepted and rejected, and the report."""

    accepted: int
    rejected: int
    report: bytes


async def import_initiation(db: Database, execute: Execute, clock: Clock, days: BusinessDays, data: bytes) -> Imported:
    """Make the payments of an initiation, each for the owner of the account that it debits, and report on each.

    The same file again makes no payment twice: each has a key that is made of the identifications in the file.

    Raises:
        InvalidFileError: as `pain001.read`.
    """
    initiation = read(data, days.day_of)
    record = audit.Record(None, "importPain001")
    await db.transact(lambda connection: audit.write(connection, [record]))
    debtors = await _debtors(db, initiation)
    commands = [_command(initiation, number, debtors) for number in range(len(initiation.instructions))]
    made = await _made_before(db, [each for each in commands if isinstance(each, Transfer)])
    wrong, today = _wrong_groups(initiation), days.day_of(clock())
    checked = [
        command
        if isinstance(command, Rejected) or (command.actor.user_id, command.key) in made
        else _check(instruction, debtors, wrong, today) or command
        for instruction, command in zip(initiation.instructions, commands, strict=True)
    ]
    reports = await _execute(db, execute, checked)
    accepted = sum(report.status != Status.REJECTED for report in reports)
    return Imported(accepted, len(reports) - accepted, pain002.write(initiation, reports, new_id(), clock()))


async def _debtors(db: Database, initiation: Initiation) -> dict[str, DebtorRow]:
    numbers = {each.debtor_number for each in initiation.instructions if each.debtor_number}
    return {row.number: row for row in await db.fetch(queries.DEBTORS, numbers=list(numbers))}


async def _made_before(db: Database, transfers: Sequence[Transfer]) -> set[tuple[UUID, str | None]]:
    """Return user and key of the transfers that have a stored outcome: they are not checked again, but replayed."""
    rows = await db.fetch(
        queries.STORED, users=[each.actor.user_id for each in transfers], keys=[each.key or "" for each in transfers]
    )
    return {(row.user_id, row.key) for row in rows}


def _wrong_groups(initiation: Initiation) -> dict[int, Rejected]:
    """Return why groups of payments are rejected: what the file says of itself, or of one of them, is wrong."""
    whole = _wrong(initiation.totals, initiation.instructions, "file")
    if whole is not None:
        return dict.fromkeys(range(len(initiation.groups)), whole)
    grouped = initiation.grouped(initiation.instructions)
    found = {number: _wrong(totals, grouped[number], "group") for number, (_, totals) in enumerate(initiation.groups)}
    return {number: problem for number, problem in found.items() if problem is not None}


def _wrong(totals: Totals, instructions: Sequence[Instruction], what: str) -> Rejected | None:
    count, total = len(instructions), sum(Decimal(each.amount or 0) for each in instructions)
    if totals.count not in {None, count}:
        return Rejected("AM18", f"The {what} says that it has {totals.count} credit transfers, and has {count}.")
    if totals.control_sum not in {None, total}:
        return Rejected("AM10", f"The {what} says that the amounts sum to {totals.control_sum}, and they sum to {total}.")
    return None


def _command(initiation: Initiation, number: int, debtors: dict[str, DebtorRow]) -> Transfer | Rejected:
    instruction = initiation.instructions[number]
    debtor = debtors.get(instruction.debtor_number or "")
    if debtor is None:
        return Rejected("AC02", "This bank has no account with the debtor's number.")
    try:
        amount = _amount(instruction)
        account = check_account(instruction.creditor_number or "", instruction.creditor_name or "", ("CdtrAcct",), ("Cdtr",))
        description = check_line(instruction.description, "A description", ("RmtInf",), DESCRIPTION_MAX)
    except Rejected as rejected:
        return rejected
    except ValidationFailed as refusal:
        return _rejected(refusal)
    name = "\0".join((initiation.id, initiation.groups[instruction.group][0], instruction.end_to_end_id, str(number)))
    return Transfer(
        actor=Actor(debtor.owner_id, None, frozenset()),
        key=f"pain001/{hashlib.blake2b(name.encode(), digest_size=16).hexdigest()}",
        from_account_id=debtor.id,
        to=Destination(external=account),
        amount=amount,
        description=description,
        end_to_end_id=instruction.end_to_end_id,
    )


def _check(instruction: Instruction, debtors: dict[str, DebtorRow], wrong: dict[int, Rejected], today: date) -> Rejected | None:
    """Return why a credit transfer that was not made before cannot be made now; None if it can."""
    if instruction.group in wrong:
        return wrong[instruction.group]
    if instruction.method != _METHOD:
        return Rejected("AG02", "Only credit transfers (TRF) can be made.")
    if instruction.day > today:
        return Rejected("DT01", "The date is in the future: send the file on that day.")
    if instruction.day <= today - MAX_AGE:
        return Rejected("DT01", f"The date is {MAX_AGE.days} days ago or more: send a new file.")
    if debtors[instruction.debtor_number or ""].status != UserStatus.ACTIVE:
        return Rejected("AG01", "The debtor may not pay at present.")
    return None


def _amount(instruction: Instruction) -> Money:
    if instruction.amount is None or instruction.currency is None:
        raise Rejected("AM09", "An amount in another currency's worth cannot be paid: give InstdAmt.")
    digits = CURRENCY_DIGITS.get(instruction.currency)
    if digits is None:
        raise Rejected("AM03", "There is no such currency.")
    minor = Decimal(instruction.amount).scaleb(digits)
    if minor != int(minor):
        raise Rejected("AM12", f"The amount has more than the {digits} decimals of this currency.")
    if not 0 < minor <= MAX_AMOUNT:
        raise Rejected("AM02", "The amount is zero, or larger than this bank pays.")
    return Money(int(minor), instruction.currency)


async def _execute(db: Database, execute: Execute, commands: Sequence[Transfer | Rejected]) -> list[Report]:
    """Execute the commands in their order, and report on each."""
    transfers = [each for each in commands if isinstance(each, Transfer)]
    outcomes: list[Outcome] = []
    for start in range(0, len(transfers), GROUP_MAX):
        outcomes += await execute(Group(tuple(transfers[start : start + GROUP_MAX])))
    moved = [each.transaction_id for each in outcomes if isinstance(each, Moved)]
    statuses = {row.id: row for row in await db.fetch(queries.STATUSES, ids=moved)}
    following = iter(outcomes)
    return [_report_of(each) if isinstance(each, Rejected) else _report_on(next(following), statuses) for each in commands]


def _report_on(outcome: Outcome, statuses: dict[UUID, StatusRow]) -> Report:
    match outcome:
        case Moved(transaction_id=transaction_id):
            found = statuses[transaction_id]
            match found.status:
                case TransactionStatus.POSTED:
                    return Report(Status.SETTLED, transaction_id)
                case TransactionStatus.PENDING:
                    return Report(Status.IN_PROCESS, transaction_id)
                case _:
                    reason = found.return_reason or _NO_REASON
                    message = f"It came back from the other bank. {RETURN_REASONS[reason]}"
                    return Report(Status.REJECTED, transaction_id, reason, message)
        case Refusal():
            return _report_of(_rejected(outcome))
        case _:
            raise TypeError(type(outcome))


def _report_of(rejected: Rejected) -> Report:
    return Report(Status.REJECTED, None, rejected.reason, rejected.message)


def _rejected(refusal: Refusal) -> Rejected:
    """Return the reason of ISO 20022 for a refusal."""
    match refusal:
        case InsufficientFunds():
            code = "AM04"
        case CurrencyMismatch():
            code = "AM03"
        case AccountStatusRefused(status=AccountStatus.CLOSED):
            code = "AC04"
        case AccountStatusRefused():
            code = "AC06"
        case NotFound():
            code = "AC03"
        case IdempotencyConflict():
            return Rejected("AM05", "Another payment was sent before with these identifications of file, group and payment.")
        case Forbidden():
            code = "AG01"
        case ValidationFailed(problems=[problem, *_]) if problem.path == ("CdtrAcct",):
            code = "AC03"
        case _:
            code = "NARR"
    return Rejected(code, str(refusal))


async def export_clearing(db: Database, clock: Clock, days: BusinessDays, bic: str, folder: Path) -> list[tuple[Path, int]]:
    """Write files of the payments that are to be settled by the next settlement day; return each with its number of payments.

    A file that could not be written before is written first, with the same content. Payments are in one file only.

    Raises:
        OSError: a file cannot be written. Its payments are in the next export.
    """

    async def put_in_message(connection: Connection) -> bool:
        await connection.lock([lock_key("export clearing", UUID(int=0))])
        now = clock()
        day = days.settlement_day(now)
        unsent = await connection.fetch(queries.UNSENT, settles_on=day, maximum=MAX_PAYMENTS)
        if not unsent:
            return False
        currency, message_id = unsent[0].currency, new_id()
        await connection.insert(_INSERT_MESSAGE, [(message_id, currency, day, now)])
        ids = [row.id for row in unsent if row.currency == currency]
        await connection.execute(queries.PUT_IN_MESSAGE, message=message_id, ids=ids)
        return True

    while await db.transact(put_in_message):
        pass
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    written = []
    while (message := await db.fetch_one(queries.UNWRITTEN)) is not None:
        written.append(await _write_once(db, clock, bic, folder, message.id))
    return [each for each in written if each is not None]


async def export_again(db: Database, bic: str, folder: Path, message_id: UUID) -> tuple[Path, int] | None:
    """Write a file for the clearing once more; return it with its number of payments, or None if there is no such file.

    Raises:
        OSError: it cannot be written.
    """
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    message = await db.fetch_one(queries.MESSAGE, message=message_id)
    return None if message is None else await _write(folder, bic, message, await db.fetch(queries.SENT, message=message_id))


async def _write_once(db: Database, clock: Clock, bic: str, folder: Path, message_id: UUID) -> tuple[Path, int] | None:
    """Write a file, unless another process has, without the payments that came back meanwhile."""

    async def work(connection: Connection) -> tuple[Path, int] | None:
        await connection.lock([lock_key("export clearing", UUID(int=0))])
        message = await connection.fetch_one(queries.MESSAGE, message=message_id)
        if message is None or message.written_at is not None:
            return None
        await connection.execute(queries.TAKE_OUT_RETURNED, message=message_id)
        payments = await connection.fetch(queries.SENT, message=message_id)
        file = await _write(folder, bic, message, payments) if payments else None
        await connection.execute(queries.SET_WRITTEN, message=message_id, now=clock())
        return file

    return await db.transact(work)


async def _write(folder: Path, bic: str, row: MessageRow, payments: Sequence[SentRow]) -> tuple[Path, int]:
    message = pacs008.Message(row.id, row.currency, row.settles_on, row.created_at)
    path = folder / f"pacs008-{row.currency}-{row.id.hex}.xml"
    await asyncio.to_thread(replace_text, path, pacs008.write(message, bic, payments).decode())
    return path, len(payments)
