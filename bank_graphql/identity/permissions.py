"""What each role may do: the only place that says so."""

from enum import StrEnum

from bank_graphql.identity.enums import UserRole


class Permission(StrEnum):
    """One thing that a role may allow beyond a customer's own affairs."""

    READ_ANY = "READ_ANY"  # every customer's profile, accounts and transactions
    HANDLE_CASH = "HANDLE_CASH"  # deposits to and withdrawals from any account
    SETTLE_HOLDS = "SETTLE_HOLDS"  # capture and release holds between customers
    REVERSE = "REVERSE"  # take transactions back
    VERIFY_LEDGER = "VERIFY_LEDGER"  # see what the last verification found
    MANAGE_ACCOUNTS = "MANAGE_ACCOUNTS"  # freeze, unfreeze, overdraft limits; freeze, unfreeze and cancel cards
    PROCESS_CARDS = "PROCESS_CARDS"  # the card network's side: authorise, capture, release, refund, and see what was paid by card


PERMISSIONS: dict[UserRole, frozenset[Permission]] = {
    UserRole.CUSTOMER: frozenset(),
    UserRole.TELLER: frozenset(
        {
            Permission.READ_ANY,
            Permission.HANDLE_CASH,
            Permission.SETTLE_HOLDS,
            Permission.REVERSE,
            Permission.MANAGE_ACCOUNTS,
        }
    ),
    UserRole.AUDITOR: frozenset({Permission.READ_ANY, Permission.VERIFY_LEDGER}),
    UserRole.PROCESSOR: frozenset({Permission.PROCESS_CARDS}),
    UserRole.ADMIN: frozenset(
        {
            Permission.READ_ANY,
            Permission.SETTLE_HOLDS,
            Permission.REVERSE,
            Permission.MANAGE_ACCOUNTS,
            Permission.VERIFY_LEDGER,
        }
    ),
}
