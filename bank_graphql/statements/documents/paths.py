"""The paths of documents, and the names of their files."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from bank_graphql.kit.ids import parse_uuid
from bank_graphql.statements.enums import ExportFormat


def path_of_statement(statement_id: UUID, format_: ExportFormat) -> str:
    """Return the path of a statement's document."""
    return f"/statements/{statement_id.hex}.{format_}"


@dataclass(frozen=True, slots=True)
class Export:
    """The entries of an account in a period, as a document."""

    account_id: UUID
    since: date
    until: date
    format: ExportFormat

    @property
    def path(self) -> str:
        """The document's path."""
        return f"/exports/{self.account_id.hex}/{self.since.isoformat()}/{self.until.isoformat()}.{self.format}"


def parse_statement(name: str) -> tuple[UUID, ExportFormat]:
    """Return the statement and the format in the last part of a path. The caller has checked its signature.

    Raises:
        ValueError: it is malformed.
    """
    key, _, ending = name.partition(".")
    statement_id = parse_uuid(key)
    if statement_id is None:
        raise ValueError(name)
    return statement_id, ExportFormat(ending)


def parse_export(account: str, since: str, name: str) -> Export:
    """Return the export that the parts of a path name. The caller has checked its signature.

    Raises:
        ValueError: it is malformed.
    """
    until, _, ending = name.partition(".")
    account_id = parse_uuid(account)
    if account_id is None:
        raise ValueError(account)
    return Export(account_id, date.fromisoformat(since), date.fromisoformat(until), ExportFormat(ending))
