"""What only a sandbox does."""

import strawberry

from bank_graphql.api.context import Context
from bank_graphql.api.results import ClockAdvanced, ClockResult, FellDue
from bank_graphql.api.scalars import DateTime
from bank_graphql.engine.fields import mutation


@strawberry.type
class SandboxMutations:
    @mutation(
        ClockResult,
        "Move the bank's clock forward, by five years at most, and do all that falls due on the way, each at its own time and "
        "in order: holds, proposals and cards expire, payments to other banks are settled or returned, statements are issued, "
        "standing orders are paid, interest and fees are posted. "
        "The clock then stands still until it is moved again. Tokens, rate limits and the audit keep the real time. In a "
        "sandbox only.",
    )
    @staticmethod
    async def advance_clock(context: Context, to: DateTime) -> ClockAdvanced:
        services = context.services
        advanced = await services.clock.advance(context.viewer, to, services.due_jobs)
        details = [FellDue(what=what, count=count) for what, count in advanced.done.items()]
        return ClockAdvanced(now=DateTime(advanced.now), happened=sum(each.count for each in details), details=details)
