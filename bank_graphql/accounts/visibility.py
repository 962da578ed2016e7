"""Which accounts a statement shows to whom: the condition that each of the statements about accounts has."""

from typing import Any

from sqlalchemy import ColumnElement, TableValuedAlias, literal_column, or_, select, true
from sqlalchemy.orm import aliased
from sqlmodel import col

from bank_graphql.accounts.enums import MembershipStatus
from bank_graphql.accounts.models import Account, GrantedAccount, Membership
from bank_graphql.identity.queries import visible_to_viewer

_owned = aliased(Account)


def is_active(membership: Any) -> ColumnElement[bool]:
    """Return the condition that a membership is active, as the partial index of these is defined."""
    condition: ColumnElement[bool] = membership.status == literal_column(f"'{MembershipStatus.ACTIVE}'")
    return condition


def account_is_visible(account: Any, requested: TableValuedAlias) -> ColumnElement[bool]:
    """Return the condition that an account is visible to the viewer of a requested key.

    It is visible to its owner, its members, programs to which an access grant gives it, and staff.

    Args:
        account: the table of accounts, or an alias of it, that the statement reads.
        requested: the table of what is requested, with the columns `viewer` and `sees_all`.
    """
    membership = aliased(Membership)
    member = (  # for an EXISTS, the planner may read the whole table
        select(true())
        .where(
            col(membership.user_id) == requested.c.viewer,
            col(membership.account_id) == account.id,
            is_active(membership),
        )
        .correlate(account, requested)
        .scalar_subquery()
    )
    granted = aliased(GrantedAccount)
    program = (
        select(true())
        .where(col(granted.grant_id) == requested.c.viewer, col(granted.account_id) == account.id)
        .correlate(account, requested)
        .scalar_subquery()
    )
    return or_(visible_to_viewer(account.owner_id, requested), member, program)


def of_visible_account(listed: TableValuedAlias) -> ColumnElement[bool]:
    """Return the condition that a requested list belongs to an account that is visible to its viewer."""
    of_account = select(account_is_visible(_owned, listed)).where(col(_owned.id) == listed.c.listed_parent)
    return or_(listed.c.sees_all, of_account.correlate(listed).scalar_subquery())  # the bank's own accounts are not in the table
