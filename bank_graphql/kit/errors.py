"""What can go wrong, as types with data.

A `Refusal` is an expected answer of the bank ("insufficient funds"): the API returns it as data. A `Fault` means that the
request as a whole could not be served: the API reports it among the top-level errors, with its `code`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not an error
    """An expected refusal. `str(refusal)` is a sentence for people that repeats no secret input.

    Attributes:
        code: the refusal's name where it is stored. Stored rows hold it, so it never changes, even if the class is renamed.
    """

    code: ClassVar[str]


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One thing that is wrong with one input field.

    Attributes:
        path: where the field is in the input, outermost name first.
        code: a stable word for programs, e.g. `REQUIRED`, `TOO_LONG`, `TAKEN`.
        message: a sentence for people.
    """

    path: tuple[str, ...]
    code: str
    message: str


@dataclass(eq=False)
class ValidationFailed(Refusal):
    """The input breaks a rule that no state of the bank could mend."""

    code: ClassVar[str] = "ValidationFailed"
    problems: Sequence[FieldProblem]

    def __str__(self) -> str:
        return " ".join(dict.fromkeys(problem.message for problem in self.problems))

    @classmethod
    def of(cls, path: str | tuple[str, ...], code: str, message: str) -> "ValidationFailed":
        """A refusal with one problem."""
        return cls([FieldProblem((path,) if isinstance(path, str) else path, code, message)])


@dataclass(eq=False)
class NotFound(Refusal):
    """There is no such thing, or it is not the caller's to see: the two are told apart nowhere."""

    code: ClassVar[str] = "NotFound"
    what: str
    subject_id: str | None = None

    def __str__(self) -> str:
        return f"There is no such {self.what}."


@dataclass(eq=False)
class Forbidden(Refusal):
    """The caller may see the thing but not do this to it."""

    code: ClassVar[str] = "Forbidden"
    reason: str = "You are not allowed to do this."

    def __str__(self) -> str:
        return self.reason


class ConfigurationError(Exception):
    """The bank cannot run as it is set up. The message is one line that says what is wrong and what to do."""


@dataclass(eq=False)
class Fault(Exception):  # noqa: N818 - named by what it is to the caller
    """The request could not be served. `code` goes into the error's extensions."""

    message: str
    code: ClassVar[str] = "INTERNAL"

    def __str__(self) -> str:
        return self.message

    @property
    def extensions(self) -> dict[str, object]:
        """What the API tells beside the message."""
        return {"code": self.code}


@dataclass(eq=False)
class BadRequest(Fault):
    """The request makes no sense as asked: a foreign cursor, two page sizes, a malformed filter."""

    code: ClassVar[str] = "BAD_REQUEST"


@dataclass(eq=False)
class Unauthenticated(Fault):
    """The request needs someone who is signed in."""

    message: str = "Sign in first: send the access token as 'Authorization: Bearer …'."
    code: ClassVar[str] = "UNAUTHENTICATED"


@dataclass(eq=False)
class AccessDenied(Fault):
    """The signed-in user's role does not reach this far (where a refusal cannot be data)."""

    message: str = "Your role does not allow this."
    code: ClassVar[str] = "FORBIDDEN"


@dataclass(eq=False)
class TooComplex(Fault):
    """The document is beyond the published limits."""

    code: ClassVar[str] = "TOO_COMPLEX"


@dataclass(eq=False)
class RateLimited(Fault):
    """Too much was asked too fast. `retry_after` is in whole seconds."""

    message: str = "Too many requests: wait, then try again."
    retry_after: int = field(default=1)
    code: ClassVar[str] = "RATE_LIMITED"

    @property
    def extensions(self) -> dict[str, object]:
        """The code, and the seconds to wait."""
        return {"code": self.code, "retryAfter": self.retry_after}


@dataclass(eq=False)
class Unavailable(Fault):
    """The bank cannot answer just now. With an idempotency key, trying again is safe."""

    message: str = "The bank cannot answer just now. Try again; with the same idempotency key nothing happens twice."
    code: ClassVar[str] = "UNAVAILABLE"
