"""Refusals about identity."""

from dataclasses import dataclass
from typing import ClassVar

from bank_graphql.kit.errors import Refusal


@dataclass(eq=False)
class CredentialsRefused(Refusal):
    """The credentials are not valid. The refusal does not say which part is wrong."""

    code: ClassVar[str] = "CredentialsRefused"

    def __str__(self) -> str:
        return "These credentials are not valid."
