"""Where standing orders pay to."""

from bank_graphql.clearing.rules import ExternalAccount
from bank_graphql.payments.commands import Destination
from bank_graphql.schedules.queries import ScheduleRow


def destination_of(row: ScheduleRow) -> Destination:
    """Return where a standing order pays to, as its customer named it."""
    if row.payee_id is not None:
        return Destination(payee_id=row.payee_id)
    if row.to_account_id is not None:
        return Destination(account_id=row.to_account_id)
    if row.to_name is not None:
        return Destination(external=ExternalAccount(row.to_number, row.to_name))
    return Destination(account_number=row.to_number)
