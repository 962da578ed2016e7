"""Finds objects by their global ids."""

from typing import Any
from uuid import UUID

from bank_graphql.api.context import Context
from bank_graphql.approvals import queries as approvals
from bank_graphql.audit import queries as audit
from bank_graphql.identity.permissions import Permission
from bank_graphql.kit.ids import parse_global_id, parse_serial, parse_uuid
from bank_graphql.kit.loaders import Reader
from bank_graphql.payments.request_queries import payment_request


async def node_of(context: Context, given: str) -> object:
    """Return the object with a global id, or None if none is visible to the viewer.

    Raises:
        Unauthenticated: nobody is signed in.
    """
    readers, viewer = context.readers, context.viewer
    kind, key = parse_global_id(given) or ("", "")
    if kind == "Entry":
        serial = parse_serial(key)
        return await context.loader(readers.entry).load(serial) if serial is not None else None
    if kind == "AuditEvent":
        serial = parse_serial(key) if viewer.is_allowed(Permission.READ_AUDIT) else None
        return await audit.event(context.services.db, serial) if serial is not None else None
    if kind == "Approval":
        uuid = parse_uuid(key)
        requested = None if uuid is None else await payment_request(context.services.db, viewer, uuid)
        if requested is not None or uuid is None or not viewer.is_allowed(Permission.READ_ANY):
            return requested
        return await approvals.approval(context.services.db, uuid)
    if kind == "AccessGrant":
        uuid = parse_uuid(key)
        return await context.services.grants.get(viewer, uuid) if uuid is not None else None
    if kind == "Session":
        own = await context.services.identity.sessions.of(viewer)
        return next((row for row in own if row.id.hex == key), None)
    if kind == "Passkey":
        passkeys = await context.services.identity.passkeys.of(context.services.db, viewer.user_id)
        return next((row for row in passkeys if row.id.hex == key), None)
    by_kind: dict[str, Reader[UUID, Any]] = {
        "User": readers.user,
        "Account": readers.account,
        "Membership": readers.membership,
        "Transaction": readers.transaction,
        "Card": readers.card,
        "Statement": readers.statement,
        "Payee": readers.payee,
        "ScheduledTransfer": readers.schedule,
        "Product": readers.product,
    }
    reader = by_kind.get(kind)
    uuid = parse_uuid(key)
    return await context.loader(reader).load(uuid) if reader is not None and uuid is not None else None
