"""Groups: the commands of one mutation, or a part of a large batch, executed in order in one transaction."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from uuid import UUID

from bank_graphql.kit.errors import Refusal
from bank_graphql.payments.commands import Command

if TYPE_CHECKING:
    from opentelemetry.trace import Span

GROUP_MAX = 1000
"""The maximum number of commands in a group. An atomic group shares one transaction."""


@dataclass(frozen=True, slots=True)
class Group:
    """Commands that are executed in their order, in one transaction.

    Attributes:
        commands: either all dry runs or none. An input that makes no command is a refusal in its place, and its own outcome.
        atomic: whether all of them take effect or none.
        on_batch: called with the number of commands of the batch in which the group is executed.
        span: the request's span, if it is traced.
    """

    commands: tuple[Command | Refusal, ...]
    atomic: bool = False
    on_batch: Callable[[int], None] = field(default=lambda _: None, compare=False, repr=False)
    span: "Span | None" = field(default=None, compare=False, repr=False)

    @property
    def dry_run(self) -> bool:
        """Whether only to say what the commands would lead to."""
        return any(isinstance(command, Command) and command.dry_run for command in self.commands)

    @property
    def sender_id(self) -> UUID | None:
        """The user who sends the commands; None if there is no command."""
        return next((command.actor.user_id for command in self.commands if isinstance(command, Command)), None)

    def fingerprints(self) -> list[bytes]:
        """Return the fingerprint of each command, empty where none is needed.

        The commands of an atomic group share one fingerprint, of all commands and keys in their order, so that only the same
        group again is a replay.
        """
        prints = [
            command.fingerprint() if isinstance(command, Command) and command.stored_key else b"" for command in self.commands
        ]
        if not self.atomic:
            return prints
        whole = hashlib.blake2b(digest_size=16)
        for command, digest in zip(self.commands, prints, strict=True):
            if digest and isinstance(command, Command):
                whole.update(digest + hashlib.blake2b((command.key or "").encode(), digest_size=16).digest())
        return [whole.digest() if digest else b"" for digest in prints]

    def split(self, size: int) -> "Iterator[Group]":
        """Yield what is executed in one transaction: all of it if atomic or a dry run, else up to `size` commands at a time."""
        if self.atomic or self.dry_run or len(self.commands) <= size:
            yield self
        else:
            starts = range(0, len(self.commands), size)
            yield from (replace(self, commands=self.commands[start : start + size]) for start in starts)
