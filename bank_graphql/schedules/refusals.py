"""Refusals as the runs of standing orders keep them: with the figures that they had, or as a sentence."""

import json

from bank_graphql.kit.errors import Forbidden, NotFound, Refusal
from bank_graphql.payments.idempotency import REPLAYABLE, decode_refusal, encode_refusal


def encode(refusal: Refusal) -> str:
    """Return a refusal as JSON."""
    if refusal.code in REPLAYABLE:
        return json.dumps(encode_refusal(refusal), default=str)
    what = refusal.what if isinstance(refusal, NotFound) else str(refusal)
    return json.dumps({"type": refusal.code, "what": what})


def decode(stored: str) -> Refusal:
    """Return the refusal that `encode` encoded. One without figures is a NotFound, or a Forbidden with its sentence."""
    found = json.loads(stored)
    if found["type"] in REPLAYABLE:
        return decode_refusal(found)
    return NotFound(found["what"]) if found["type"] == NotFound.code else Forbidden(found["what"])
