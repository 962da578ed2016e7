"""The formats of documents."""

from enum import StrEnum


class ExportFormat(StrEnum):
    """A format of documents, with the ending of its files' names as value."""

    PDF = "pdf"
    CSV = "csv"
    CAMT053 = "xml"
