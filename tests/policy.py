"""A bank's policy for tests that execute commands themselves."""

from datetime import time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from bank_graphql.accounts.rules import Numbering
from bank_graphql.cards.rules import Calendar, CardPolicy
from bank_graphql.cards.vault import MasterKeys, Vault, master_keys
from bank_graphql.clearing.rules import BusinessDays, ClearingPolicy
from bank_graphql.kit.clock import Clock, utc_now
from bank_graphql.kit.metrics import Metrics
from bank_graphql.payments.fees import Fees
from bank_graphql.payments.metrics import PaymentMetrics
from bank_graphql.payments.service import Policy

NUMBERING = Numbering("DE", "99999999")
UTC = Calendar(ZoneInfo("UTC"))
CLEARING = ClearingPolicy(BusinessDays(UTC.zone, time(15, 30)), NUMBERING.is_own)
KEYS = '{"keys": [{"kty": "oct", "kid": "1", "k": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE"}]}'


def policy(clock: Clock = utc_now, vault: Vault | None = None) -> Policy:
    """Return the policy of a sandbox. Without a `vault` it gets one of its own, which can issue no cards."""
    return Policy(
        sandbox=True,
        credit_limit=0,
        step_up_above=None,
        approval_lasts=timedelta(days=1),
        numbering=NUMBERING,
        cards=CardPolicy(UTC, tolerances={"5812": 20}),
        clearing=CLEARING,
        vault=vault or Vault(MasterKeys(master_keys(KEYS, None)), "990055", bytes(32), bytes(32), bytes(32)),
        clock=clock,
        metrics=PaymentMetrics(Metrics()),
        fees=_no_fees,
    )


async def _no_fees(*_: object) -> dict[UUID, Fees]:
    return {}
