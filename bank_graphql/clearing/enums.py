"""Account numbers with a meaning of their own. Pure."""

from enum import StrEnum


class SandboxNumber(StrEnum):
    """Accounts at another bank by which a client tries out what may happen to a payment. They do so in a sandbox only."""

    FAILS = "DE19888888880000000001"
    RETURNS = "DE89888888880000000002"
    LATE = "DE62888888880000000003"
