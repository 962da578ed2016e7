"""Adding, renaming and removing payees."""

import strawberry

from bank_graphql.api.context import Context
from bank_graphql.api.inputs.common import payee_id
from bank_graphql.api.results import PayeeResult, PayeeVerification, VerifyPayeeResult
from bank_graphql.api.scalars import DateTime
from bank_graphql.engine.fields import mutation
from bank_graphql.identity.scopes import Scope
from bank_graphql.payees.queries import PayeeRow


@strawberry.type
class PayeeMutations:
    @mutation(
        PayeeResult,
        "Save an account number under a name, for payments by `payeeId`. The number is an IBAN of any country, with or without "
        "spaces, and occurs once among the viewer's payees: a second time it is `TAKEN`.",
    )
    @staticmethod
    async def add_payee(context: Context, name: str, account_number: str) -> PayeeRow:
        return await context.services.payees.add(context.viewer, name, account_number)

    @mutation(PayeeResult, "Rename one of the viewer's payees.")
    @staticmethod
    async def rename_payee(context: Context, id: strawberry.ID, name: str) -> PayeeRow:  # noqa: A002 - the contract's name
        return await context.services.payees.rename(context.viewer, payee_id(id), name)

    @mutation(
        PayeeResult, "Remove one of the viewer's payees, and return it as it was. Payments that were made stay as they are."
    )
    @staticmethod
    async def remove_payee(context: Context, id: strawberry.ID) -> PayeeRow:  # noqa: A002
        return await context.services.payees.remove(context.viewer, payee_id(id))

    @mutation(
        VerifyPayeeResult,
        "Compare the name of a payee with that of the account's holder before paying, as in the EPC's scheme for the "
        "verification of payees. The holder's name is shown for a close match only. Attempts are limited and audited.",
        scope=Scope.PAYMENTS_WRITE,
    )
    @staticmethod
    async def verify_payee(context: Context, account_number: str, name: str) -> PayeeVerification:
        await context.attempt_verification()
        found = await context.services.payees.verify(context.viewer, account_number, name)
        return PayeeVerification(
            match=found.match, actual_name=found.actual_name, token=found.token, expires_at=DateTime(found.expires_at)
        )
