"""What administrators do with products."""

from uuid import UUID

import strawberry

from bank_graphql.accounts.queries import AccountRow
from bank_graphql.api.context import Context
from bank_graphql.api.inputs.common import account_id, product_id
from bank_graphql.api.inputs.products import CreateProductInput, SetAccountProductInput, SetProductTermsInput
from bank_graphql.api.results import AccountResult, ProductResult
from bank_graphql.engine.fields import mutation
from bank_graphql.products.queries import ProductRow


@strawberry.type
class ProductMutations:
    @mutation(ProductResult, "Make a product. For administrators.")
    @staticmethod
    async def create_product(context: Context, input: CreateProductInput) -> ProductRow | None:  # noqa: A002 - the contract's name
        return await _product(context, await context.services.products.create(context.viewer, input.product()))

    @mutation(
        ProductResult,
        "Give a product other rates and fees from a day on: today or later, for what was accrued and charged does not change. "
        "For administrators.",
    )
    @staticmethod
    async def set_product_terms(context: Context, input: SetProductTermsInput) -> ProductRow | None:  # noqa: A002
        viewer, key = context.viewer, product_id(input.product_id)
        await context.services.products.set_terms(viewer, key, input.terms.from_, input.terms.terms)
        return await _product(context, key)

    @mutation(AccountResult, "Give an account a product from a day on, in place of the one that it has. For administrators.")
    @staticmethod
    async def set_account_product(context: Context, input: SetAccountProductInput) -> AccountRow | None:  # noqa: A002
        key = account_id(input.account_id)
        await context.services.products.assign(context.viewer, key, product_id(input.product_id), input.from_)
        return await context.loader(context.readers.account).load(key)


async def _product(context: Context, key: UUID) -> ProductRow | None:
    return await context.loader(context.readers.product).load(key)
