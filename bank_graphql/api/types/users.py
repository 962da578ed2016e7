"""Users."""

from typing import TYPE_CHECKING, Annotated

import strawberry

from bank_graphql.accounts.grant_statements import GrantRow
from bank_graphql.accounts.grants import MAX_GRANTS
from bank_graphql.accounts.member_queries import MAX_LISTED, MembershipRow, memberships_of
from bank_graphql.accounts.queries import ACCOUNTS_OF_USERS
from bank_graphql.api.context import Info
from bank_graphql.api.loaders import PageKey, loaded_field
from bank_graphql.api.scalars import DateTime
from bank_graphql.api.types.enums import UserRole, UserStatus
from bank_graphql.api.types.grants import AccessGrant
from bank_graphql.api.types.members import Membership
from bank_graphql.api.types.node import Connection, Node, Paged, node_id, page_size
from bank_graphql.api.types.sources import Keyed
from bank_graphql.cards.queries import CARDS_OF_USERS
from bank_graphql.engine.costs import Cost, ListSize
from bank_graphql.engine.fields import backed_by
from bank_graphql.identity.passkeys import PasskeyRow
from bank_graphql.identity.queries import SessionRow, UserRow
from bank_graphql.kit.paging import page_of
from bank_graphql.payments.request_queries import PaymentRequestRow, payment_requests

if TYPE_CHECKING:
    from bank_graphql.api.types.accounts import Account
    from bank_graphql.api.types.approvals import Approval
    from bank_graphql.api.types.cards import Card


@strawberry.type(description="A session of the viewer: one client, from log-in to log-out.")
class Session(Node):
    id: strawberry.ID = node_id("Session")
    created_at: DateTime = strawberry.field(description="When the client signed in.")
    last_used_at: DateTime = strawberry.field(description="When it last signed in or refreshed its tokens.")
    user_agent: str | None = strawberry.field(description="The User-Agent header that the client sent, if any.")
    ip_address: str | None = strawberry.field(description="The IP address that it signed in from, if known.")

    is_type_of = backed_by(SessionRow)

    @strawberry.field(description="Whether it is the session of this request.")
    @staticmethod
    def current(root: Keyed, info: Info) -> bool:
        return root.id == info.context.viewer.session_id


@strawberry.type(description="A key on a device of the viewer, with which the viewer signs in without a password (WebAuthn).")
class Passkey(Node):
    id: strawberry.ID = node_id("Passkey")
    name: str = strawberry.field(description="The name that the viewer gave it.")
    is_synced: bool = strawberry.field(description="Whether it is on other devices of the viewer, too.")
    created_at: DateTime = strawberry.field(description="When it was added.")
    last_used_at: DateTime | None = strawberry.field(description="When it was last used. Null if it was not.")

    is_type_of = backed_by(PasskeyRow)


@strawberry.type(description="A user of the bank: a customer, or staff.")
class User(Node):
    id: strawberry.ID = node_id("User")
    email: str = strawberry.field(description="The e-mail address, with which the user signs in.")
    full_name: str = strawberry.field(description="The full name. Others see it on transactions.")
    phone_number: str | None = strawberry.field(description="The phone number per E.164, if one was given.")
    role: UserRole = strawberry.field(description="The role, which decides what the user may do.")
    status: UserStatus = strawberry.field(description="Whether the user can sign in.")
    mfa_enabled: bool = strawberry.field(description="Whether the user signs in with a second factor.")
    email_verified: bool = strawberry.field(description="Whether the user has proved to read the address: see `verifyEmail`.")
    suspension_reason: str | None = strawberry.field(description="Why the bank suspended the user. Null if it did not.")
    erased_at: DateTime | None = strawberry.field(description="When the user was erased: see `eraseUser`. Null if not.")
    created_at: DateTime = strawberry.field(description="When the user signed up.")
    updated_at: DateTime = strawberry.field(description="When the profile was last changed.")

    is_type_of = backed_by(UserRow)

    @loaded_field(
        lambda readers: readers.accounts_of_user,
        description="The user's accounts, in the order in which they were opened.",
        graphql_type=Connection[Annotated["Account", strawberry.lazy("bank_graphql.api.types.accounts")]],
        then=lambda _, found: Paged(found, ACCOUNTS_OF_USERS.key),
        directives=[page_size("first", "last")],
    )
    @staticmethod
    def accounts(
        root: Keyed, first: int | None = None, after: str | None = None, last: int | None = None, before: str | None = None
    ) -> PageKey:
        return root.id, page_of(ACCOUNTS_OF_USERS.key, first, after, last, before), None

    @loaded_field(
        lambda readers: readers.cards_of_user,
        description="The cards on the user's accounts, in the order in which they were issued.",
        graphql_type=Connection[Annotated["Card", strawberry.lazy("bank_graphql.api.types.cards")]],
        then=lambda _, found: Paged(found, CARDS_OF_USERS.key),
        directives=[page_size("first", "last")],
    )
    @staticmethod
    def cards(
        root: Keyed, first: int | None = None, after: str | None = None, last: int | None = None, before: str | None = None
    ) -> PageKey:
        return root.id, page_of(CARDS_OF_USERS.key, first, after, last, before), None

    @strawberry.field(
        description="The accounts of others that the viewer may use, and invitations to the viewer's verified e-mail address, "
        "oldest first, at most 100. Empty for any other user.",
        graphql_type=list[Membership],
        directives=[Cost(weight="20"), ListSize(assumed_size=MAX_LISTED)],
    )
    @staticmethod
    async def memberships(root: Keyed, info: Info) -> list[MembershipRow]:
        viewer, services = info.context.viewer, info.context.services
        if root.id != viewer.user_id:
            return []
        return await memberships_of(services.db, viewer, services.clock())

    @strawberry.field(
        description="The programs that the viewer lets act, oldest first. Empty for any other user.",
        graphql_type=list[AccessGrant],
        directives=[Cost(weight="20"), ListSize(assumed_size=MAX_GRANTS)],
    )
    @staticmethod
    async def access_grants(root: Keyed, info: Info) -> list[GrantRow]:
        viewer = info.context.viewer
        return await info.context.services.grants.of(viewer) if root.id == viewer.user_id else []

    @strawberry.field(
        description="What programs of the viewer are to pay and may not by themselves, newest first, at most 100: see "
        "`decide`. Empty for any other user.",
        graphql_type=list[Annotated["Approval", strawberry.lazy("bank_graphql.api.types.approvals")]],
        directives=[Cost(weight="20"), ListSize(assumed_size=MAX_LISTED)],
    )
    @staticmethod
    async def approvals(root: Keyed, info: Info) -> list[PaymentRequestRow]:
        viewer = info.context.viewer
        return await payment_requests(info.context.services.db, viewer) if root.id == viewer.user_id else []

    @strawberry.field(
        description="The active sessions of the viewer, newest first, at most 100. Empty for any other user.",
        graphql_type=list[Session],
        directives=[Cost(weight="100")],
    )
    @staticmethod
    async def sessions(root: Keyed, info: Info) -> list[SessionRow]:
        viewer = info.context.viewer
        return await info.context.services.identity.sessions.of(viewer) if root.id == viewer.user_id else []

    @strawberry.field(
        description="The passkeys of the viewer, oldest first. Empty for any other user.",
        graphql_type=list[Passkey],
        directives=[Cost(weight="20")],
    )
    @staticmethod
    async def passkeys(root: Keyed, info: Info) -> list[PasskeyRow]:
        viewer, services = info.context.viewer, info.context.services
        return await services.identity.passkeys.of(services.db, viewer.user_id) if root.id == viewer.user_id else []
