"""What users let programs do."""

from datetime import timedelta
from uuid import UUID

import strawberry

from bank_graphql.api.access_results import (
    CreateAccessGrantResult,
    NewAccessGrant,
    RevokeAccessGrantResult,
    RotateAccessGrantResult,
)
from bank_graphql.api.context import Context
from bank_graphql.api.inputs.common import grant_id
from bank_graphql.api.inputs.grants import CreateAccessGrantInput, CreateApiKeyInput
from bank_graphql.api.results import Done
from bank_graphql.engine.fields import mutation
from bank_graphql.identity.enums import GrantKind
from bank_graphql.kit.errors import NotFound
from bank_graphql.kit.ids import global_id
from bank_graphql.payments.requests import reject_waiting


@strawberry.type
class GrantMutations:
    @mutation(
        CreateAccessGrantResult,
        "Let a program act for the viewer: an agent or a script. Its token is shown once. What it may not pay by itself waits "
        "for the viewer's approval, with the money held. For whoever has proved a short while ago who they are.",
    )
    @staticmethod
    async def create_access_grant(context: Context, input: CreateAccessGrantInput) -> NewAccessGrant:  # noqa: A002
        made, token = await context.services.grants.create(context.viewer, GrantKind.AGENT, input.terms)
        return await _new(context, made, token)

    @mutation(
        CreateAccessGrantResult,
        "Make a key with which a service of the viewer calls the API. It is shown once. For whoever has proved a short while "
        "ago who they are.",
    )
    @staticmethod
    async def create_api_key(context: Context, input: CreateApiKeyInput) -> NewAccessGrant:  # noqa: A002
        made, token = await context.services.grants.create(context.viewer, GrantKind.API_KEY, input.terms)
        return await _new(context, made, token)

    @mutation(
        RotateAccessGrantResult,
        "Replace the token of a program. Older tokens stay valid for some minutes, so that it can be exchanged without a break.",
    )
    @staticmethod
    async def rotate_access_grant(context: Context, id: strawberry.ID, overlap_minutes: int = 60) -> NewAccessGrant:  # noqa: A002
        key = grant_id(id)
        token = await context.services.grants.rotate(context.viewer, key, timedelta(minutes=overlap_minutes))
        return await _new(context, key, token)

    @mutation(
        RevokeAccessGrantResult, "End what a program may do, at once, and reject those of its payments that wait for approval."
    )
    @staticmethod
    async def revoke_access_grant(context: Context, id: strawberry.ID) -> Done:  # noqa: A002
        key, viewer = grant_id(id), context.viewer
        await context.services.grants.revoke(viewer, key)
        await reject_waiting(context.services.db, context.services.execute, viewer, key)
        return Done()


async def _new(context: Context, key: UUID, token: str) -> NewAccessGrant:
    grant = await context.services.grants.get(context.viewer, key)
    if grant is None:  # it was revoked meanwhile
        raise NotFound("access grant", global_id("AccessGrant", key))
    return NewAccessGrant(grant=grant, token=token)
