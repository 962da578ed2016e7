"""Standing orders: making, changing, pausing and ending them."""

import strawberry

from bank_graphql.api.context import Context
from bank_graphql.api.inputs.common import schedule_id
from bank_graphql.api.inputs.schedules import ChangeScheduledTransferInput, ScheduleTransferInput
from bank_graphql.api.results import ScheduledTransferResult
from bank_graphql.engine.fields import mutation
from bank_graphql.schedules.queries import ScheduleRow


@strawberry.type
class ScheduleMutations:
    @mutation(
        ScheduledTransferResult,
        "Order transfers on the dates of a rule. All but the money is checked at once; whether there is enough of that matters "
        "on the day. Repeating a request with its key returns the order that it made, as it is now.",
    )
    @staticmethod
    async def schedule_transfer(context: Context, input: ScheduleTransferInput) -> ScheduleRow:  # noqa: A002 - the contract's name
        return await context.services.schedules.add(context.viewer, input.order())

    @mutation(ScheduledTransferResult, "Change a standing order of the viewer, from its next date on.")
    @staticmethod
    async def change_scheduled_transfer(
        context: Context,
        id: strawberry.ID,  # noqa: A002
        input: ChangeScheduledTransferInput,  # noqa: A002
    ) -> ScheduleRow:
        return await context.services.schedules.change(context.viewer, schedule_id(id), input.change())

    @mutation(ScheduledTransferResult, "Make no transfers of a standing order until it is resumed.")
    @staticmethod
    async def pause_scheduled_transfer(context: Context, id: strawberry.ID) -> ScheduleRow:  # noqa: A002
        return await context.services.schedules.pause(context.viewer, schedule_id(id))

    @mutation(
        ScheduledTransferResult, "Make the transfers of a standing order again, from today on. Dates that passed are left out."
    )
    @staticmethod
    async def resume_scheduled_transfer(context: Context, id: strawberry.ID) -> ScheduleRow:  # noqa: A002
        return await context.services.schedules.resume(context.viewer, schedule_id(id))

    @mutation(ScheduledTransferResult, "End a standing order. Transfers that were made stay as they are.")
    @staticmethod
    async def cancel_scheduled_transfer(context: Context, id: strawberry.ID) -> ScheduleRow:  # noqa: A002
        return await context.services.schedules.cancel(context.viewer, schedule_id(id))
