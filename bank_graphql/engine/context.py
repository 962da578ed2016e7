"""What the engine needs of a request's context."""

from collections.abc import Hashable
from typing import Protocol, TypeVar

from bank_graphql.kit.loaders import Loader, Reader

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class ExecutionContext(Protocol):
    """The context of one request. It is the source object of root fields, and `info.context` of all fields.

    Attributes:
        outcomes: the outcomes of mutations by their names in the answer: a value, or the exception that was raised. The engine
            writes them, so that the reference executor does not execute a mutation again.
    """

    outcomes: dict[str, object]

    @property
    def readers(self) -> object:
        """The schema's readers, from which a field's declaration chooses one."""

    def loader(self, reader: Reader[K, V]) -> Loader[K, V]:
        """Return the request's loader for what `reader` reads."""

    async def begin_mutation(self) -> None:
        """Prepare for the next mutation of a document: what was loaded before, and who sends it, may have changed."""

    async def require_scope(self, scope: str | None, mutation: str) -> None:
        """Require that whoever sends the request may send this mutation: a person may send any, a program those of its scopes."""

    def begin_event(self) -> None:
        """Prepare for the next event of a subscription: what was loaded before may have changed."""
