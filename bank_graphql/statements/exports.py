"""Requests for the entries of an account in any period, as a document. Each is audited: whoever has the link reads them."""

from datetime import date
from uuid import UUID

from bank_graphql.accounts import queries as accounts
from bank_graphql.audit import service as audit
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import NotFound, ValidationFailed
from bank_graphql.kit.ids import global_id
from bank_graphql.statements.documents.paths import Export
from bank_graphql.statements.enums import ExportFormat
from bank_graphql.statements.service import Issuer

MAX_DAYS = 3660


async def request_export(
    db: Database, issuer: Issuer, actor: Actor, account_id: UUID, *, first: date, last: date, format_: ExportFormat
) -> Export:
    """Return which entries a document has: those of a period, from the account's first day to the present one.

    Raises:
        NotFound: the account is not visible to the actor.
        ValidationFailed: the period is empty, or longer than `MAX_DAYS`.
    """
    [account] = await accounts.accounts(db, [(actor, [account_id])])

    async def check(_: Connection) -> Export:
        if account is None:
            raise NotFound("account", global_id("Account", account_id))
        if last < first:
            raise ValidationFailed.of("to", "INVALID", "'to' is before 'from'.")
        start, end = max(first, issuer.months.day(account.opened_at)), min(last, issuer.months.day(issuer.clock()))
        if end < start:
            raise ValidationFailed.of("from", "INVALID", "The account did not exist, or the period has not begun.")
        if (end - start).days >= MAX_DAYS:
            raise ValidationFailed.of("to", "TOO_LONG", "A period has ten years at most.")
        return Export(account_id, start, end, format_)

    return await audit.execute_audited(db, actor, "exportEntries", account_id, check)
