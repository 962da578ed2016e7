"""The values that the cards' columns may have, and what may be done with a card. Pure, so that rules may import them."""

from enum import StrEnum


class CardKind(StrEnum):
    """What a card draws on: DEBIT cards belong to checking and savings accounts, CREDIT cards to credit accounts."""

    DEBIT = "DEBIT"
    CREDIT = "CREDIT"


class CardForm(StrEnum):
    """VIRTUAL cards pay at once; PHYSICAL ones are sent by post and must be activated by their owner."""

    VIRTUAL = "VIRTUAL"
    PHYSICAL = "PHYSICAL"


class CardStatus(StrEnum):
    """Only ACTIVE cards pay. CANCELLED and EXPIRED are final."""

    INACTIVE = "INACTIVE"
    ACTIVE = "ACTIVE"
    FROZEN = "FROZEN"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


class LimitWindow(StrEnum):
    """What a limit applies to: a single transaction, a day, a week from Monday, or a calendar month."""

    TRANSACTION = "TRANSACTION"
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"


class CardAction(StrEnum):
    """What is done with a card, by the API's names, which the audit records."""

    ACTIVATE = "activateCard"
    FREEZE = "freezeCard"
    UNFREEZE = "unfreezeCard"
    CANCEL = "cancelCard"
    SET_LIMITS = "setCardLimits"
    REPLACE = "replaceCard"
    REVEAL = "revealCard"


class DeclineReason(StrEnum):
    """Why a card authorisation was declined."""

    CARD_NOT_ACTIVE = "CARD_NOT_ACTIVE"
    CARD_EXPIRED = "CARD_EXPIRED"
    MERCHANT_BLOCKED = "MERCHANT_BLOCKED"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    ACCOUNT_NOT_ACTIVE = "ACCOUNT_NOT_ACTIVE"
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
