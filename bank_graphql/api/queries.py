"""The root type of queries, and the types that only they return."""

import asyncio
from typing import Annotated
from uuid import UUID

import strawberry

from bank_graphql.accounts.feed import CURSOR_KIND, EventRow, cursor_of
from bank_graphql.accounts.grant_statements import GrantRow
from bank_graphql.accounts.queries import TRANSACTIONS_OF_ACCOUNTS, USABLE_ACCOUNTS, AccountRow, TransactionRow
from bank_graphql.accounts.rules import normalise_number
from bank_graphql.api.context import Context
from bank_graphql.api.loaders import TransactionFilters, loaded_field
from bank_graphql.api.nodes import node_of
from bank_graphql.api.scalars import BigInt, DateTime
from bank_graphql.api.scheduled import ScheduledTransfer
from bank_graphql.api.types.accounts import Account
from bank_graphql.api.types.approvals import Approval
from bank_graphql.api.types.audit import AuditEvent, AuditFilter
from bank_graphql.api.types.cards import Card
from bank_graphql.api.types.enums import CurrencyCode
from bank_graphql.api.types.events import TransactionEvent
from bank_graphql.api.types.filters import check_search
from bank_graphql.api.types.grants import AccessGrant
from bank_graphql.api.types.node import Connection, Node, Paged, page_size
from bank_graphql.api.types.operations import Clock, LedgerCheck, LedgerVerification, RateLimit, TrialBalance
from bank_graphql.api.types.payees import Payee
from bank_graphql.api.types.products import Product
from bank_graphql.api.types.statements import Statement
from bank_graphql.api.types.transactions import Transaction
from bank_graphql.api.types.users import User
from bank_graphql.approvals import queries as approvals
from bank_graphql.approvals.enums import ApprovalStatus
from bank_graphql.approvals.queries import ApprovalRow
from bank_graphql.audit import queries as audit
from bank_graphql.audit.queries import AuditFilters, AuditRow
from bank_graphql.engine.costs import Cost, ListSize
from bank_graphql.identity import queries as identity
from bank_graphql.identity.permissions import Permission
from bank_graphql.identity.queries import UserRow
from bank_graphql.identity.scopes import Scope, viewer_of
from bank_graphql.kit.errors import BadRequest
from bank_graphql.kit.ids import uuid_of
from bank_graphql.kit.paging import KeyType, Slice, page_of
from bank_graphql.ledger import trial_balance, verification
from bank_graphql.ledger.enums import Purpose
from bank_graphql.ledger.rules import internal_account_id
from bank_graphql.payees.queries import PAYEES_OF_USERS, PayeeRow
from bank_graphql.products.queries import PRODUCTS, ProductRow
from bank_graphql.schedules.queries import SCHEDULES_OF_USERS, ScheduleRow

MAX_NODES = 100
EVENTS = KeyType(CURSOR_KIND, lambda text: None, 0, 0)  # noqa: ARG005 - the feed reads its cursors itself


@strawberry.type(description="All queries. What is not visible to the viewer is null, as if it did not exist.")
class Query:
    @loaded_field(
        lambda readers: readers.user,
        description="The viewer: the user who is signed in. Null if nobody is, and for a program without the scope PROFILE, "
        "which reads `accounts` and `accessGrant`.",
        graphql_type=User | None,
    )
    @staticmethod
    def me(request: Context) -> UUID | None:
        return request.actor.person_id if request.actor is not None else None

    @strawberry.field(
        description="The object with this id. Null if there is none, or it is not visible.", graphql_type=Node | None
    )
    @staticmethod
    async def node(root: Context, id: strawberry.ID) -> object:  # noqa: A002 - the contract's name
        return await node_of(root, id)

    @strawberry.field(
        description=f"The objects with these ids, in the same order, null where there is none. At most {MAX_NODES} ids.",
        graphql_type=list[Node | None],
        # Each id costs in addition to its object: it is read by itself.
        directives=[Cost(weight="1"), ListSize(slicing_arguments=["ids"])],
    )
    @staticmethod
    async def nodes(
        root: Context, ids: Annotated[list[strawberry.ID], strawberry.argument(directives=[Cost(weight="1")])]
    ) -> list[object]:
        if len(ids) > MAX_NODES:
            raise BadRequest(f"At most {MAX_NODES} ids at a time.")
        # Readers batch the keys that are requested in one turn of the event loop, so this takes one statement for each type.
        return list(await asyncio.gather(*(node_of(root, each) for each in ids)))

    @loaded_field(
        lambda readers: readers.account,
        description="The account with this id. Null if there is none, or it is not visible.",
        graphql_type=Account | None,
    )
    @staticmethod
    def account(request: Context, id: strawberry.ID) -> UUID | None:  # noqa: A002
        return _key(request, id, "Account")

    @strawberry.field(
        description="The accounts that the viewer may use, newest first: those of the viewer, those that others share, and of "
        "a program those that its grant names. Null only together with an error.",
        graphql_type=Connection[Account] | None,
        directives=[Cost(weight="60"), page_size("first", "last")],
    )
    @staticmethod
    async def accounts(
        root: Context, first: int | None = None, after: str | None = None, last: int | None = None, before: str | None = None
    ) -> Paged[AccountRow]:
        viewer, key = viewer_of(root.viewer, Scope.ACCOUNTS_READ), USABLE_ACCOUNTS.key
        return Paged(await USABLE_ACCOUNTS.fetch(root.services.db, page_of(key, first, after, last, before), viewer=viewer), key)

    @strawberry.field(
        description="What the program that sends the request may do. Null for a person.",
        graphql_type=AccessGrant | None,
        directives=[Cost(weight="20")],
    )
    @staticmethod
    async def access_grant(root: Context) -> GrantRow | None:
        viewer = root.viewer
        return None if viewer.grant is None else await root.services.grants.get(viewer, viewer.user_id)

    @loaded_field(
        lambda readers: readers.account_by_number,
        description="The account with this number, with or without spaces. Null if there is none, or it is not visible.",
        graphql_type=Account | None,
    )
    @staticmethod
    def account_by_number(_: Context, number: str) -> str:
        return normalise_number(number)

    @loaded_field(
        lambda readers: readers.transaction,
        description="The transaction with this id. Null if there is none, or it is not visible.",
        graphql_type=Transaction | None,
    )
    @staticmethod
    def transaction(request: Context, id: strawberry.ID) -> UUID | None:  # noqa: A002
        return _key(request, id, "Transaction")

    @loaded_field(
        lambda readers: readers.card,
        description="The card with this id. Null if there is none, or it is not visible.",
        graphql_type=Card | None,
    )
    @staticmethod
    def card(request: Context, id: strawberry.ID) -> UUID | None:  # noqa: A002
        return _key(request, id, "Card")

    @loaded_field(
        lambda readers: readers.statement,
        description="The statement with this id. Null if there is none, or it is not visible.",
        graphql_type=Statement | None,
    )
    @staticmethod
    def statement(request: Context, id: strawberry.ID) -> UUID | None:  # noqa: A002
        return _key(request, id, "Statement")

    @strawberry.field(
        description="The viewer's payees, in the order in which they were added; with `search`, those whose name or number "
        "contains it. Null only together with an error.",
        graphql_type=Connection[Payee] | None,
        directives=[Cost(weight="60"), page_size("first", "last")],
    )
    @staticmethod
    async def payees(
        root: Context,
        search: str | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Paged[PayeeRow]:
        viewer, page = root.viewer, page_of(PAYEES_OF_USERS.key, first, after, last, before)
        text = check_search(search)
        [found] = await PAYEES_OF_USERS.fetch(
            root.services.db, [(viewer.user_id, page)], viewers=[viewer.user_id], sees_all=[False], search=text
        )
        return Paged(found, PAYEES_OF_USERS.key)

    @strawberry.field(
        description="The viewer's standing orders, newest first. Null only together with an error.",
        graphql_type=Connection[ScheduledTransfer] | None,
        directives=[Cost(weight="60"), page_size("first", "last")],
    )
    @staticmethod
    async def scheduled_transfers(
        root: Context, first: int | None = None, after: str | None = None, last: int | None = None, before: str | None = None
    ) -> Paged[ScheduleRow]:
        viewer, page = root.viewer, page_of(SCHEDULES_OF_USERS.key, first, after, last, before)
        [found] = await SCHEDULES_OF_USERS.fetch(
            root.services.db, [(viewer.user_id, page)], viewers=[viewer.user_id], sees_all=[False]
        )
        return Paged(found, SCHEDULES_OF_USERS.key)

    @strawberry.field(
        description="The products of the bank, by kind and currency: what accounts earn and cost. Null only together with an "
        "error.",
        graphql_type=list[Product] | None,
        directives=[Cost(weight="60"), ListSize(assumed_size=10)],
    )
    @staticmethod
    async def products(root: Context) -> list[ProductRow]:
        return await root.services.db.fetch(PRODUCTS) if root.viewer else []

    @strawberry.field(
        description="The payments that came back from other banks for accounts that are closed, in a currency, newest first. The "
        "bank keeps their money until somebody decides where it belongs. For staff.",
        graphql_type=Connection[Transaction] | None,
        directives=[Cost(weight="60"), page_size("first", "last")],
    )
    @staticmethod
    async def suspense(
        root: Context,
        currency: CurrencyCode,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Paged[TransactionRow]:
        await root.require(Permission.READ_ANY, "suspense")
        key = TRANSACTIONS_OF_ACCOUNTS.key
        page = page_of(key, first, after, last, before)
        account_id = internal_account_id(Purpose.SUSPENSE, currency.value)
        booked = TransactionFilters(statuses=("POSTED",))  # not what is reserved there for a decision
        found = await root.loader(root.readers.transactions_of_account).load((account_id, page, booked))
        return Paged(found, key)

    @strawberry.field(
        description="All users, newest first; with `search`, those whose name or e-mail address has a word that begins with "
        "each word given. For staff.",
        graphql_type=Connection[User] | None,
        directives=[Cost(weight="60"), page_size("first", "last")],
    )
    @staticmethod
    async def users(
        root: Context,
        search: str | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Paged[UserRow]:
        await root.require(Permission.READ_ANY, "users")
        page = page_of(identity.USERS_KEY, first, after, last, before)
        return Paged(await identity.list_users(root.services.db, page, check_search(search)), identity.USERS_KEY)

    @strawberry.field(
        description="What members of staff propose, and others of them decide (`decide`), newest first; with `status`, those "
        "with this one. For tellers, auditors and administrators.",
        graphql_type=Connection[Approval] | None,
        directives=[Cost(weight="60"), page_size("first", "last")],
    )
    @staticmethod
    async def approvals(
        root: Context,
        status: ApprovalStatus | None = None,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
    ) -> Paged[ApprovalRow]:
        await root.require(Permission.READ_ANY, "approvals")
        page = page_of(approvals.KEY, first, after, last, before)
        return Paged(await approvals.approvals(root.services.db, page, status), approvals.KEY)

    @strawberry.field(
        description="The audit: what was done at the bank and what was refused, newest first. It is sealed against changes; "
        "`bank-graphql verify` checks that. For auditors and administrators.",
        graphql_type=Connection[AuditEvent] | None,
        directives=[Cost(weight="60"), page_size("first")],
    )
    @staticmethod
    async def audit_events(
        root: Context,
        filter: AuditFilter | None = None,  # noqa: A002 - the contract's name
        first: int | None = None,
        after: str | None = None,
    ) -> Paged[AuditRow]:
        await root.require(Permission.READ_AUDIT, "auditEvents")
        filters = AuditFilters() if filter is None else filter.resolved()
        return Paged(await audit.events(root.services.db, page_of(audit.KEY, first, after), filters), audit.KEY)

    @strawberry.field(
        description=(
            "The events of the viewer's accounts, or of the 1 to 100 given accounts, page by page, oldest first: from the "
            "oldest event that is kept, or after the cursor `after`. The error CURSOR_EXPIRED means that events after this "
            "cursor were deleted already. A page has 20 events unless `first` is given. After an empty page, whose `endCursor` "
            "is null, use the previous cursor again. The subscription `transactionFeed` has the same cursors."
        ),
        graphql_type=Connection[TransactionEvent] | None,
        directives=[Cost(weight="60"), page_size("first")],
    )
    @staticmethod
    async def transaction_events(
        root: Context, account_ids: list[strawberry.ID] | None = None, after: str | None = None, first: int | None = None
    ) -> Paged[EventRow]:
        size = page_of(EVENTS, first).size
        accounts = None if account_ids is None else [uuid_of(each, "Account") for each in account_ids]
        feed, viewer = root.services.feed, root.viewer
        interest, since = await feed.interest_of(viewer, accounts), await feed.resume_position(after)
        events = await feed.page(interest, since, size + 1)
        return Paged(Slice(events[:size], has_next=len(events) > size, has_previous=since is not None), EVENTS)

    @strawberry.field(
        description=(
            "The cursor at the present end of the feed. Read this first, then the accounts, then subscribe with `after`: no "
            "event is missed. Null only together with an error."
        ),
        graphql_type=str | None,
        directives=[Cost(weight="60")],
    )
    @staticmethod
    async def feed_cursor(root: Context) -> str | None:
        return cursor_of(await root.services.feed.head()) if root.viewer else None

    @strawberry.field(description="The rate limit, after this request.")
    @staticmethod
    def rate_limit(root: Context) -> RateLimit | None:
        spent = root.bucket
        if spent is None:
            return None
        return RateLimit(limit=spent.limit, remaining=spent.remaining, cost=spent.cost, reset_at=DateTime(spent.full_at))

    @strawberry.field(
        description="The bank's clock, by which money is booked and things fall due.", directives=[Cost(weight="60")]
    )
    @staticmethod
    async def clock(root: Context) -> Clock:
        clock = root.services.clock
        return Clock(now=DateTime(await clock.read()), movable=clock.is_movable)

    @strawberry.field(
        description=("The latest run of `bank-graphql verify`. Null if there was none. For auditors and administrators."),
        directives=[Cost(weight="60")],
    )
    @staticmethod
    async def ledger_verification(root: Context) -> LedgerVerification | None:
        await root.require(Permission.VERIFY_LEDGER, "ledgerVerification")
        latest = await verification.latest(root.services.db)
        if latest is None:
            return None
        checked_at, findings = latest
        checks = [
            LedgerCheck(name=each.name, ok=each.ok, examined=BigInt(each.examined), first_problem=each.first_problem)
            for each in findings
        ]
        return LedgerVerification(ok=all(check.ok for check in checks), checked_at=DateTime(checked_at), checks=checks)

    @strawberry.field(
        description=(
            "The balances of all accounts at a time, by default now, by purpose and currency. It reads every account, so it may "
            "take seconds in a large bank. Null only together with an error. For auditors and administrators."
        ),
        directives=[Cost(weight="1000")],
    )
    @staticmethod
    async def trial_balance(root: Context, at: DateTime | None = None) -> TrialBalance | None:
        await root.require(Permission.VERIFY_LEDGER, "trialBalance")
        now = await root.services.clock.read()
        lines = await trial_balance.trial_balance(root.services.db, at)
        return TrialBalance(at=DateTime(at or now), lines=lines)


def _key(request: Context, given: str, kind: str) -> UUID | None:
    """Return the key in a global id, or None if the id is not one of this kind.

    Raises:
        Unauthenticated: nobody is signed in.
    """
    return uuid_of(given, kind) if request.viewer else None
