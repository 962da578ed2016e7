"""Mutations that issue and change cards, and show their numbers."""

from typing import Annotated
from uuid import UUID

import strawberry

from bank_graphql.api.context import Context
from bank_graphql.api.inputs.cards import IssueCardInput, SpendingLimitInput, limits_of
from bank_graphql.api.inputs.common import DRY_RUN, card_id, check_key
from bank_graphql.api.results import CardResult, CardSecrets, MoneyPreview, RevealCardResult
from bank_graphql.api.scalars import DateTime
from bank_graphql.cards.queries import CardRow
from bank_graphql.cards.rules import check_categories
from bank_graphql.engine.fields import mutation
from bank_graphql.payments.commands import Command, ReplaceCard
from bank_graphql.payments.outcomes import Issued, Preview


@strawberry.type
class CardMutations:
    @mutation(CardResult, "Issue a card on an account of the viewer, which must be ACTIVE.")
    @staticmethod
    async def issue_card(context: Context, input: IssueCardInput) -> CardRow | None:  # noqa: A002 - the contract's name
        return await _issued(context, input.command(context.viewer))

    @mutation(CardResult, "Activate a PHYSICAL card, so that it pays. For its owner.")
    @staticmethod
    async def activate_card(context: Context, id: strawberry.ID) -> CardRow | None:  # noqa: A002
        viewer, key = context.viewer, card_id(id)
        await context.services.cards.activate(viewer, key)
        return await _card(context, key)

    @mutation(
        CardResult,
        "Freeze an ACTIVE card: it declines all payments. For its owner and for staff; what staff froze, only staff can "
        "unfreeze.",
    )
    @staticmethod
    async def freeze_card(context: Context, id: strawberry.ID) -> CardRow | None:  # noqa: A002
        viewer, key = context.viewer, card_id(id)
        await context.services.cards.freeze(viewer, key)
        return await _card(context, key)

    @mutation(CardResult, "Unfreeze a FROZEN card, so that it pays again. For its owner, unless staff froze it, and for staff.")
    @staticmethod
    async def unfreeze_card(context: Context, id: strawberry.ID) -> CardRow | None:  # noqa: A002
        viewer, key = context.viewer, card_id(id)
        await context.services.cards.unfreeze(viewer, key)
        return await _card(context, key)

    @mutation(
        CardResult, "Cancel a card for good. Its pending authorisations can still be captured. For its owner and for staff."
    )
    @staticmethod
    async def cancel_card(context: Context, id: strawberry.ID) -> CardRow | None:  # noqa: A002
        viewer, key = context.viewer, card_id(id)
        await context.services.cards.cancel(viewer, key)
        return await _card(context, key)

    @mutation(
        CardResult,
        "Replace a card that is lost or has expired: issue one with a new number, and cancel the old one. Limits, what was spent "
        "of them, and blocked categories carry over. For its owner. A dry run returns a MoneyPreview of the fee.",
    )
    @staticmethod
    async def replace_card(
        context: Context,
        id: strawberry.ID,  # noqa: A002
        idempotency_key: str,
        dry_run: Annotated[bool | None, strawberry.argument(description=DRY_RUN)] = False,
    ) -> CardRow | MoneyPreview | None:
        key = check_key(idempotency_key)
        command = ReplaceCard(actor=context.viewer, key=key, dry_run=bool(dry_run), card_id=card_id(id))
        outcome = await context.execute(command)
        return MoneyPreview.of(outcome) if isinstance(outcome, Preview) else await _issued_card(context, outcome)

    @mutation(
        CardResult,
        "Replace all limits of a card, at most one for each window; and its blocked merchant categories (four digits per "
        "ISO 18245), if given. For its owner.",
    )
    @staticmethod
    async def set_card_limits(
        context: Context,
        id: strawberry.ID,  # noqa: A002
        limits: list[SpendingLimitInput],
        blocked_categories: list[str] | None = None,
    ) -> CardRow | None:
        viewer, key = context.viewer, card_id(id)
        blocked = None if blocked_categories is None else check_categories(blocked_categories)
        await context.services.cards.set_limits(viewer, key, limits_of(limits), blocked)
        return await _card(context, key)

    @mutation(
        RevealCardResult,
        "Show the number and security code of an ACTIVE or FROZEN card of the viewer, who gives the password again. It is "
        "audited.",
    )
    @staticmethod
    async def reveal_card(context: Context, id: strawberry.ID, password: str) -> CardSecrets:  # noqa: A002
        await context.attempt_again()
        secrets = await context.services.cards.reveal(context.viewer, card_id(id), password)
        return CardSecrets(number=secrets.number, security_code=secrets.security_code, expires_at=DateTime(secrets.expires_at))


async def _issued(context: Context, command: Command) -> CardRow | None:
    return await _issued_card(context, await context.execute(command))


async def _issued_card(context: Context, outcome: object) -> CardRow | None:
    if not isinstance(outcome, Issued):
        raise TypeError(type(outcome))
    return await _card(context, outcome.card_id)


async def _card(context: Context, key: UUID) -> CardRow | None:
    return await context.loader(context.readers.card).load(key)
