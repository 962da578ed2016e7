"""The mails themselves."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail in plain text."""

    to: str
    subject: str
    text: str


def letter(*paragraphs: str, signed_by: str) -> str:
    """Return the text of a mail: its paragraphs between a greeting and the bank's name."""
    return "\n\n".join(("Hello,", *paragraphs, signed_by)) + "\n"
