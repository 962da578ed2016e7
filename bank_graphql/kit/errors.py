"""Errors as types with data.

A `Refusal` is an expected answer of the bank, such as "insufficient funds": the API returns it as data. A `Fault` means that the
request as a whole could not be served: the API returns it among the top-level errors, with its `code`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not an error
    """An expected refusal. `str(refusal)` is a sentence for people, without secrets from the input.

    Attributes:
        code: the name under which the refusal is stored. It never changes, even if the class is renamed.
    """

    code: ClassVar[str]


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """A problem of one input field.

    Attributes:
        path: the path of the field in the input, with the outermost name first.
        code: a stable code for programs, e.g. `REQUIRED`, `TOO_LONG`, `TAKEN`.
        message: a sentence for people.
    """

    path: tuple[str, ...]
    code: str
    message: str


@dataclass(eq=False)
class ValidationFailed(Refusal):
    """The input is invalid, whatever the state of the bank."""

    code: ClassVar[str] = "ValidationFailed"
    problems: Sequence[FieldProblem]

    def __str__(self) -> str:
        return " ".join(dict.fromkeys(problem.message for problem in self.problems))

    @classmethod
    def of(cls, path: str | tuple[str, ...], code: str, message: str) -> "ValidationFailed":
        """Return a refusal with one problem."""
        return cls([FieldProblem((path,) if isinstance(path, str) else path, code, message)])


@dataclass(eq=False)
class NotFound(Refusal):
    """There is no such thing, or it is not visible to the caller. The two are never distinguished."""

    code: ClassVar[str] = "NotFound"
    what: str
    subject_id: str | None = None

    def __str__(self) -> str:
        return f"There is no such {self.what}."


@dataclass(eq=False)
class Forbidden(Refusal):
    """The thing is visible to the caller, who is not allowed to do this with it."""

    code: ClassVar[str] = "Forbidden"
    reason: str = "You are not allowed to do this."

    def __str__(self) -> str:
        return self.reason


class ConfigurationError(Exception):
    """The bank cannot run with its configuration. The message is one line that says what is wrong and what to do."""


@dataclass(eq=False)
class Fault(Exception):  # noqa: N818 - named for what it means to the caller
    """The request could not be served. The API returns `code` in the extensions of the error."""

    message: str
    code: ClassVar[str] = "INTERNAL"

    def __str__(self) -> str:
        return self.message

    @property
    def extensions(self) -> dict[str, object]:
        """What the API returns besides the message."""
        return {"code": self.code}


@dataclass(eq=False)
class BadRequest(Fault):
    """The request is malformed: it has a cursor of another list, two page sizes, or an invalid filter."""

    code: ClassVar[str] = "BAD_REQUEST"


@dataclass(eq=False)
class Unauthenticated(Fault):
    """The request needs a signed-in user."""

    message: str = "Sign in first: send the access token as 'Authorization: Bearer …'."
    code: ClassVar[str] = "UNAUTHENTICATED"


@dataclass(eq=False)
class AccessDenied(Fault):
    """The role of the signed-in user does not allow this, where a refusal cannot be returned as data."""

    message: str = "Your role does not allow this."
    code: ClassVar[str] = "FORBIDDEN"


@dataclass(eq=False)
class TooComplex(Fault):
    """The document exceeds the published limits."""

    code: ClassVar[str] = "TOO_COMPLEX"


@dataclass(eq=False)
class RateLimited(Fault):
    """The rate limit is exceeded. `retry_after` is in whole seconds."""

    message: str = "Too many requests: wait, then try again."
    retry_after: int = field(default=1)
    code: ClassVar[str] = "RATE_LIMITED"

    @property
    def extensions(self) -> dict[str, object]:
        """The code, and the seconds after which to try again."""
        return {"code": self.code, "retryAfter": self.retry_after}


@dataclass(eq=False)
class Unavailable(Fault):
    """The bank cannot answer at the moment. With an idempotency key, trying again is safe."""

    message: str = "The bank cannot answer just now. Try again; with the same idempotency key nothing happens twice."
    code: ClassVar[str] = "UNAVAILABLE"
