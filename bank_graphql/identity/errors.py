"""Refusals about identity."""

from dataclasses import dataclass
from typing import ClassVar

from bank_graphql.kit.errors import Refusal


@dataclass(eq=False)
class StepUpRequired(Refusal):
    """The user is to prove again who they are, before what a stolen token must not allow."""

    code: ClassVar[str] = "StepUpRequired"

    def __str__(self) -> str:
        return "Prove again that it is you: call stepUp with the challenge, then send this request again."


@dataclass(eq=False)
class CredentialsRefused(Refusal):
    """The credentials are not valid. The refusal does not say which part is wrong."""

    code: ClassVar[str] = "CredentialsRefused"

    def __str__(self) -> str:
        return "These credentials are not valid."
