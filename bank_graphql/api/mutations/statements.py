"""Issuing statements, and links to the entries of any period."""

from datetime import date
from typing import Annotated

import strawberry

from bank_graphql.api.context import Context
from bank_graphql.api.inputs.common import account_id as key_of_account
from bank_graphql.api.results import EntryExport, ExportEntriesResult, IssueStatementsResult, StatementsIssued
from bank_graphql.api.scalars import DateTime
from bank_graphql.api.types.enums import ExportFormat
from bank_graphql.engine.fields import mutation
from bank_graphql.kit.errors import NotFound, ValidationFailed
from bank_graphql.statements import service
from bank_graphql.statements.documents.paths import Export

MAX_DAYS = 3660


@strawberry.type
class StatementMutations:
    @mutation(
        IssueStatementsResult,
        "Issue the statements of a month that has ended, for all accounts, and those of months before that are missing. They are "
        "also issued automatically, within minutes of the end of a month. Each is issued only once, however often this is "
        "called. For tellers and administrators.",
    )
    @staticmethod
    async def issue_statements(
        context: Context, month: Annotated[date, strawberry.argument(description="Any day of the month.")]
    ) -> StatementsIssued:
        services = context.services
        first_day, issued = await service.issue_requested(services.db, services.issuer, context.viewer, month)
        return StatementsIssued(month=first_day, issued=issued)

    @mutation(
        ExportEntriesResult,
        "Return a link to the entries of an account in a period, as a document: at most ten years, from the day on which it was "
        "opened to the present day. For whoever may see the account.",
    )
    @staticmethod
    async def export_entries(
        context: Context,
        account_id: strawberry.ID,
        from_: Annotated[date, strawberry.argument(name="from", description="The first day.")],
        to: Annotated[date, strawberry.argument(description="The last day.")],
        format: ExportFormat,  # noqa: A002 - the contract's name
    ) -> EntryExport:
        account = await context.loader(context.readers.account).load(key_of_account(account_id))
        if account is None:
            raise NotFound("account", account_id)
        months, clock = context.services.issuer.months, context.services.issuer.clock
        if to < from_:
            raise ValidationFailed.of("to", "INVALID", "'to' is before 'from'.")
        first, last = max(from_, months.day(account.opened_at)), min(to, months.day(clock()))
        if last < first:
            raise ValidationFailed.of("from", "INVALID", "The account did not exist, or the period has not begun.")
        if (last - first).days >= MAX_DAYS:
            raise ValidationFailed.of("to", "TOO_LONG", "A period has ten years at most.")
        url, expires_at = context.services.links.make(Export(account.id, first, last, format).path)
        return EntryExport(url=url, expires_at=DateTime(expires_at))
