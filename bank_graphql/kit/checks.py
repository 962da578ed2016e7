"""Checks of stored data, for `verify`: each examines rows on one snapshot, and finds the first discrepancy."""

from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import text

from bank_graphql.kit.db import Connection
from bank_graphql.kit.statements import Query, Row


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check: how many rows it examined, and the first discrepancy, None if there is none."""

    name: str
    examined: int
    first_problem: str | None

    @property
    def ok(self) -> bool:
        """Whether there is no discrepancy."""
        return self.first_problem is None


class Examination(Protocol):
    """One thing to verify."""

    async def examine(self, connection: Connection) -> Finding:
        """Examine it in the transaction of a snapshot."""
        ...


class _CountRow(Row):
    count: int


class _ProblemRow(Row):
    problem: str


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that the database itself verifies, so that memory stays bounded however large the bank is.

    Attributes:
        name: what is verified.
        count: SQL that counts the rows examined.
        problems: SQL that finds discrepancies; the column `problem` of its first row, if there is one, describes the first.
    """

    name: str
    count: str
    problems: str

    async def examine(self, connection: Connection) -> Finding:
        """Run both statements."""
        examined = await connection.fetch(Query(text(self.count), _CountRow))
        problems = await connection.fetch(Query(text(self.problems), _ProblemRow))
        return Finding(self.name, examined[0].count, problems[0].problem if problems else None)
