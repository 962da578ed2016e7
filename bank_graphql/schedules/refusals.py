"""Refusals as the runs of standing orders keep them."""

import json

from bank_graphql.kit.errors import Refusal
from bank_graphql.payments.idempotency import decode_refusal, encode_refusal


def encode(refusal: Refusal) -> str:
    """Return a refusal as JSON."""
    return json.dumps(encode_refusal(refusal), default=str)


def decode(stored: str) -> Refusal:
    """Return the refusal that `encode` encoded."""
    return decode_refusal(json.loads(stored))
