"""Decisions about what other members of staff propose."""

import strawberry

from bank_graphql.api.context import Context
from bank_graphql.api.inputs.common import approval_id as key_of
from bank_graphql.api.results import DecideResult
from bank_graphql.approvals import queries
from bank_graphql.approvals.queries import ApprovalRow
from bank_graphql.engine.fields import mutation


@strawberry.type
class ApprovalMutations:
    @mutation(
        DecideResult,
        "Approve what another member of staff proposes, which is then executed, or reject it. See the `status` of the answer: "
        "FAILED means that it was approved and could not be executed. For those who may do it themselves; whoever proposed it "
        "may only reject it.",
    )
    @staticmethod
    async def decide(context: Context, approval_id: strawberry.ID, approve: bool) -> ApprovalRow | None:
        key = key_of(approval_id)
        await context.services.approvals.decide(context.viewer, key, approve=approve)
        return await queries.approval(context.services.db, key)
