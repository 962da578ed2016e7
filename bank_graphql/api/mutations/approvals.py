"""Decisions about what other members of staff propose."""

import strawberry

from bank_graphql.api.context import Context
from bank_graphql.api.inputs.common import approval_id as key_of
from bank_graphql.api.results import DecideResult
from bank_graphql.approvals import queries
from bank_graphql.approvals.queries import ApprovalRow
from bank_graphql.engine.fields import mutation
from bank_graphql.payments.request_queries import PaymentRequestRow, payment_request
from bank_graphql.payments.requests import decision_of


@strawberry.type
class ApprovalMutations:
    @mutation(
        DecideResult,
        "Approve what another member of staff proposes, which is then executed, or reject it. See the `status` of the answer: "
        "FAILED means that it was approved and could not be executed. For those who may do it themselves; whoever proposed it "
        "may only reject it. Or decide about a payment of a program, for the account's owners: see `me.approvals`.",
    )
    @staticmethod
    async def decide(context: Context, approval_id: strawberry.ID, approve: bool) -> ApprovalRow | PaymentRequestRow | None:
        key, db = key_of(approval_id), context.services.db
        requested = await payment_request(db, context.viewer, key)
        if requested is not None:
            await context.execute(decision_of(context.viewer, requested, approve=approve))
            return await payment_request(db, context.viewer, key)
        await context.services.approvals.decide(context.viewer, key, approve=approve)
        return await queries.approval(db, key)
