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
from bank_graphql.identity.scopes import Scope
from bank_graphql.statements import service
from bank_graphql.statements.exports import request_export


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
        scope=Scope.TRANSACTIONS_READ,
    )
    @staticmethod
    async def export_entries(
        context: Context,
        account_id: strawberry.ID,
        from_: Annotated[date, strawberry.argument(name="from", description="The first day.")],
        to: Annotated[date, strawberry.argument(description="The last day.")],
        format: ExportFormat,  # noqa: A002 - the contract's name
    ) -> EntryExport:
        services = context.services
        export = await request_export(
            services.db, services.issuer, context.viewer, key_of_account(account_id), first=from_, last=to, format_=format
        )
        url, expires_at = services.links.make(export.path)
        return EntryExport(url=url, expires_at=DateTime(expires_at))
