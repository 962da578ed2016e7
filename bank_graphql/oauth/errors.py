"""Errors of OAuth, by the names of its standards."""

from dataclasses import dataclass


@dataclass(eq=False)
class OAuthError(Exception):
    """A request of a client is refused.

    Attributes:
        error: the standard's name, e.g. `invalid_grant`.
        description: a sentence for whoever builds the client.
        status: the HTTP status.
    """

    error: str
    description: str
    status: int = 400

    def __str__(self) -> str:
        return self.description
