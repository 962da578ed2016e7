"""The reasons for which the engine falls back to the reference executor."""


class UnplannedError(Exception):
    """An operation can have no plan, or something is not as its plan expects. The reference executor must execute it.

    Attributes:
        reason: what is not as expected, in fixed words. It is logged, so it quotes nothing of the request.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


NULL = "a null where the schema has none"


def reason_of(error: Exception) -> str:
    """Return the reason of an `UnplannedError`, or the name of another exception's type: its text may quote the request."""
    return error.reason if isinstance(error, UnplannedError) else type(error).__name__
