"""Products, as tests make and read them."""

from datetime import UTC, datetime
from typing import Any

from tests.client import REJECTIONS, Client

START = datetime(2030, 1, 15, 12, tzinfo=UTC)
TODAY = START.date().isoformat()
PRODUCT = """
    id name kind currency dayCount defaultFrom terms { ...Terms } allTerms { ...Terms }
"""
TERMS = """fragment Terms on ProductTerms {
    from creditRates { above { amount } rate } debitRates { above { amount } rate } monthlyFee { amount }
    monthlyFeeWaivedAbove { amount } externalTransferFee { amount } cardReplacementFee { amount }
}"""
EXPLAINED = """
    amount { amount currency } kind description from { name } to { name }
    explanation { side carried accrued carriedOn posted { amount }
        lines { from to days balance { amount } part { amount } rate interest } }
"""
_FIELDS = "... on ValidationRejection { fields { path code message } }"
_RESULT = f"__typename ... on Product {{ {PRODUCT} }} ... on Rejection {{ message }} {_FIELDS}"


def rates(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    """Return tiers: above what, and the rate in percent."""
    return [{"above": above, "rate": rate} for above, rate in pairs]


async def make(admin: Client, name: str = "Plain", kind: str = "SAVINGS", currency: str = "EUR", **more: Any) -> Any:
    """Make a product that is the default from today on, unless said otherwise."""
    product = {"name": name, "kind": kind, "currency": currency, "defaultFrom": more.pop("since", TODAY)}
    for key in ("dayCount", "defaultFrom"):
        if key in more:
            product[key] = more.pop(key)
    product["terms"] = {"from": TODAY} | more
    query = f"mutation ($input: CreateProductInput!) {{ createProduct(input: $input) {{ {_RESULT} }} }} {TERMS}"
    return (await admin.run(query, input=product))["createProduct"]


async def change(admin: Client, product: str, since: str, **terms: Any) -> Any:
    """Give a product other terms from a day on."""
    query = f"mutation ($input: SetProductTermsInput!) {{ setProductTerms(input: $input) {{ {_RESULT} }} }} {TERMS}"
    return (await admin.run(query, input={"productId": product, "terms": {"from": since, **terms}}))["setProductTerms"]


async def give(admin: Client, account: str, product: str, since: str) -> Any:
    """Give an account a product from a day on."""
    query = f"""mutation ($input: SetAccountProductInput!) {{ setAccountProduct(input: $input) {{
        __typename ... on Account {{ id product {{ id }} }} ... on Rejection {{ message }} {REJECTIONS} }} }}"""
    return (await admin.run(query, input={"accountId": account, "productId": product, "from": since}))["setAccountProduct"]


async def posted(customer: Client, account: str, *kinds: str) -> list[Any]:
    """Return the fees and interest of an account, the earliest first."""
    query = f"""query ($id: ID!, $kinds: [TransactionKind!]) {{ account(id: $id) {{
        transactions(filter: {{kinds: $kinds}}, first: 20) {{ nodes {{ {EXPLAINED} }} }} }} }}"""
    found = await customer.run(query, id=account, kinds=list(kinds) or ["FEE", "INTEREST"])
    return list(reversed(found["account"]["transactions"]["nodes"]))


async def owed(customer: Client, account: str) -> tuple[str, str, str]:
    """Return the booked balance of an account, its accrued interest, and what is due."""
    found = await customer.account(account, "balance { booked { amount } } accruedInterest { amount } amountDue { amount }")
    return found["balance"]["booked"]["amount"], found["accruedInterest"]["amount"], found["amountDue"]["amount"]
