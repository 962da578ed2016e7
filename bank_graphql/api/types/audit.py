"""Events of the audit."""

from uuid import UUID

import strawberry

from bank_graphql.accounts.enums import MemberAction
from bank_graphql.api.loaders import loaded_field
from bank_graphql.api.scalars import DateTime
from bank_graphql.api.types.node import Node, node_id
from bank_graphql.api.types.users import User
from bank_graphql.audit.queries import AuditFilters, AuditRow
from bank_graphql.cards.enums import CardAction
from bank_graphql.engine.fields import backed_by
from bank_graphql.identity.enums import GrantAction, IdentityAction
from bank_graphql.kit.errors import BadRequest
from bank_graphql.kit.ids import global_id, parse_global_id, parse_uuid

_KINDS = {
    **dict.fromkeys(IdentityAction, "User"),
    **dict.fromkeys(GrantAction, "AccessGrant"),
    **dict.fromkeys(("renameAccount", "freezeAccount", "unfreezeAccount", "closeAccount", "setOverdraftLimit"), "Account"),
    "exportEntries": "Account",
    **dict.fromkeys(CardAction, "Card"),
    **dict.fromkeys(("addPayee", "renamePayee", "removePayee"), "Payee"),
    "exportMyData": "User",
    **dict.fromkeys(("decide", "expireApproval"), "Approval"),
    "openAccount": "Account",
    MemberAction.INVITE: "Account",
    **dict.fromkeys((MemberAction.ACCEPT, MemberAction.CHANGE, MemberAction.END), "Membership"),
    **dict.fromkeys(
        ("scheduleTransfer", *(f"{change}ScheduledTransfer" for change in ("change", "pause", "resume", "cancel"))),
        "ScheduledTransfer",
    ),
    **dict.fromkeys(("createProduct", "setProductTerms"), "Product"),
    "setAccountProduct": "Account",
    "issueCard": "Card",
    "expireCard": "Card",
}
"""The types of the subjects of actions. All others are about transactions."""
_SESSIONS = {IdentityAction.LOG_OUT, IdentityAction.REFRESH_SESSION}


@strawberry.type(
    description="Something that somebody did at the bank, or was refused. It names users and things by their ids alone."
)
class AuditEvent(Node):
    id: strawberry.ID = node_id("AuditEvent")
    at: DateTime = strawberry.field(description="When it was done, by the real time.")
    action: str = strawberry.field(description="What was done: the name of a mutation or query, or of what the bank does itself.")
    outcome: str = strawberry.field(
        description="`DONE`; `CHALLENGED`: the password was right, and a code is asked for; or the name of the refusal: "
        "`CredentialsRefused`, `Forbidden`, `NotFound`, `ValidationFailed`, `StateConflict`, `InsufficientFunds` and so on."
    )
    ip_address: str | None = strawberry.field(description="The IP address that the request came from, if known.")
    request_id: str | None = strawberry.field(
        description="The request's id, as in its answer's header and in the logs. The client may have chosen it."
    )
    detail: str | None = strawberry.field(
        description="To what it was changed: the role, for `setUserRole` and `inviteMember`; APPROVED or REJECTED, for "
        "`decide`. What a program did: `grant`, and the key of its access grant. Null for others."
    )

    is_type_of = backed_by(AuditRow)

    @loaded_field(
        lambda readers: readers.user,
        description="Who did it. Null if the bank did it, or nobody was signed in: at a failed log-in its user is the `subject`.",
        graphql_type=User | None,
    )
    @staticmethod
    def actor(root: AuditRow) -> UUID | None:
        return root.actor_id

    @strawberry.field(description="The id of what it was done to, for `node`. Null if it was about no single thing.")
    @staticmethod
    def subject(root: AuditRow) -> strawberry.ID | None:
        if root.subject_id is None:
            return None
        is_session = root.action in _SESSIONS and root.subject_id != root.actor_id
        kind = "Session" if is_session else _KINDS.get(root.action, "Transaction")
        return strawberry.ID(global_id(kind, root.subject_id))


@strawberry.input(description="Which events to list. What is not given does not restrict.")
class AuditFilter:
    actor: strawberry.ID | None = strawberry.field(default=None, description="Only what this user did.")
    action: str | None = strawberry.field(default=None, description="Only this action, e.g. `logIn`.")
    subject: strawberry.ID | None = strawberry.field(
        default=None, description="Only what was done to this user, account, card, payee or transaction."
    )
    outcome: str | None = strawberry.field(default=None, description="Only this outcome, e.g. `DONE` or `Forbidden`.")
    from_: DateTime | None = strawberry.field(default=None, name="from", description="Only what was done at this time or later.")
    to: DateTime | None = strawberry.field(default=None, description="Only what was done before this time.")

    def resolved(self) -> AuditFilters:
        """Return the filter in terms of the audit.

        Raises:
            BadRequest: an id is malformed.
        """
        return AuditFilters(
            actor_id=_key_of(self.actor, "actor"),
            action=self.action,
            subject_id=_key_of(self.subject, "subject"),
            outcome=self.outcome,
            since=self.from_,
            until=self.to,
        )


def _key_of(given: str | None, name: str) -> UUID | None:
    if given is None:
        return None
    parsed = parse_global_id(given)
    key = None if parsed is None else parse_uuid(parsed[1])
    if key is None:
        raise BadRequest(f"In the filter: '{name}' is no id of this API.")
    return key
