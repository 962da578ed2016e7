"""Why the engine falls back to the reference executor."""


class UnplannedError(Exception):
    """There is no plan for an operation, or something is not as its plan expects it. The reference executor is to execute it.

    Attributes:
        reason: what it is, in fixed words. It quotes nothing of the request, for it is logged.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


NULL = "a null where the schema has none"


def reason_of(error: Exception) -> str:
    """Return why a failure leads to a fallback: its reason, or the name of its type. Its text may quote the request."""
    return error.reason if isinstance(error, UnplannedError) else type(error).__name__
