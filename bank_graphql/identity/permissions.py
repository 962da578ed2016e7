"""The permissions of each role. No other place defines them."""

from enum import StrEnum

from bank_graphql.identity.enums import UserRole


class Permission(StrEnum):
    """Something that a role allows beyond what every user may do with their own accounts."""

    READ_ANY = "READ_ANY"  # read every customer's profile, accounts and transactions
    HANDLE_CASH = "HANDLE_CASH"  # deposit to and withdraw from any account
    SETTLE_HOLDS = "SETTLE_HOLDS"  # capture and release holds between customers
    REVERSE = "REVERSE"  # reverse transactions
    VERIFY_LEDGER = "VERIFY_LEDGER"  # see the findings of the last verification
    MANAGE_ACCOUNTS = "MANAGE_ACCOUNTS"  # freeze and unfreeze accounts and cards, set overdraft limits, cancel cards
    ISSUE_STATEMENTS = "ISSUE_STATEMENTS"  # have the statements of a month issued
    PROCESS_CLEARING = "PROCESS_CLEARING"  # the clearing: settle, return and receive payments of other banks, and see them
    MANAGE_USERS = "MANAGE_USERS"  # set the roles of users, suspend and reinstate them
    READ_AUDIT = "READ_AUDIT"  # read the audit
    MANAGE_PRODUCTS = "MANAGE_PRODUCTS"  # make products, change their rates and fees, give them to accounts
    PROCESS_CARDS = "PROCESS_CARDS"  # the card network: authorise, capture, release and refund card payments, and see them


PERMISSIONS: dict[UserRole, frozenset[Permission]] = {
    UserRole.CUSTOMER: frozenset(),
    UserRole.TELLER: frozenset(
        {
            Permission.READ_ANY,
            Permission.HANDLE_CASH,
            Permission.SETTLE_HOLDS,
            Permission.REVERSE,
            Permission.MANAGE_ACCOUNTS,
            Permission.ISSUE_STATEMENTS,
        }
    ),
    UserRole.AUDITOR: frozenset({Permission.READ_ANY, Permission.VERIFY_LEDGER, Permission.READ_AUDIT}),
    UserRole.PROCESSOR: frozenset({Permission.PROCESS_CARDS, Permission.PROCESS_CLEARING}),
    UserRole.ADMIN: frozenset(
        {
            Permission.READ_ANY,
            Permission.SETTLE_HOLDS,
            Permission.REVERSE,
            Permission.MANAGE_ACCOUNTS,
            Permission.ISSUE_STATEMENTS,
            Permission.VERIFY_LEDGER,
            Permission.MANAGE_USERS,
            Permission.READ_AUDIT,
            Permission.MANAGE_PRODUCTS,
        }
    ),
}
