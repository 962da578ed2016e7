"""The rate limit, the clock, and the verification of the ledger."""

import strawberry

from bank_graphql.api.scalars import BigInt, DateTime


@strawberry.type(
    description="The rate limit of the viewer, or of the address if nobody is signed in: a bucket of cost that refills evenly."
)
class RateLimit:
    limit: int = strawberry.field(description="The cost that a full bucket holds, and that is refilled per minute.")
    remaining: int = strawberry.field(description="The cost that remains in the bucket after this request.")
    cost: int = strawberry.field(description="The cost of this request.")
    reset_at: DateTime = strawberry.field(description="When the bucket is full again.")


@strawberry.type(description="The bank's clock.")
class Clock:
    now: DateTime = strawberry.field(
        description="The bank's time. Once the clock was moved, it stands still until it is moved again."
    )
    movable: bool = strawberry.field(description="Whether `advanceClock` can move it, as in a sandbox.")


@strawberry.type(description="One check of a verification.")
class LedgerCheck:
    name: str = strawberry.field(description="The name of the check.")
    ok: bool = strawberry.field(description="Whether no discrepancy was found.")
    examined: BigInt = strawberry.field(description="The number of rows that were examined.")
    first_problem: str | None = strawberry.field(description="The first discrepancy. Null if there is none.")


@strawberry.type(description="The latest verification of the ledger.")
class LedgerVerification:
    ok: bool = strawberry.field(description="Whether no discrepancy was found.")
    checked_at: DateTime = strawberry.field(description="When it ran.")
    checks: list[LedgerCheck] = strawberry.field(description="Its checks.")
