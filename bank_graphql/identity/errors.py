"""Refusals about identity."""

from dataclasses import dataclass
from typing import ClassVar

from bank_graphql.kit.errors import Refusal


@dataclass(eq=False)
class CredentialsRefused(Refusal):
    """The credentials do not fit. Which part was wrong is never told."""

    code: ClassVar[str] = "CredentialsRefused"

    def __str__(self) -> str:
        return "These credentials are not valid."
