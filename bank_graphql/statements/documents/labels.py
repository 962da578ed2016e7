"""Words for people, as documents show them."""

from bank_graphql.ledger.enums import TransactionKind
from bank_graphql.statements.documents.content import Line

_KINDS = {
    TransactionKind.DEPOSIT: "Cash deposit",
    TransactionKind.WITHDRAWAL: "Cash withdrawal",
    TransactionKind.TRANSFER: "Transfer",
    TransactionKind.CARD_PAYMENT: "Card payment",
    TransactionKind.CARD_REFUND: "Card refund",
    TransactionKind.FEE: "Fee",
    TransactionKind.INTEREST: "Interest",
}


def kind_of(line: Line) -> str:
    """Return what an entry is, e.g. "Card payment", "Returned transfer" or "Reversal of a transfer"."""
    if line.return_reason is not None:
        return "Returned transfer"
    label = _KINDS[line.kind]
    article = "" if line.kind == TransactionKind.INTEREST else "a "
    return f"Reversal of {article}{label.lower()}" if line.is_reversal else label
