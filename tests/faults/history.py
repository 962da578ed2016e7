"""The requests of clients and their answers, and the comparison of both with the database."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import asyncpg


@dataclass
class Request:
    """A mutation with its key, however often it was sent.

    Attributes:
        effect: the change of each account's booked balance in minor units, if it moves money.
        answers: the outcomes that were received, refusals included: (type, transaction id, the refusal's message).
    """

    key: str
    mutation: str
    given: dict[str, Any]
    effect: dict[str, int]
    answers: list[tuple[str, str | None, str | None]] = field(default_factory=list)

    @property
    def transaction_id(self) -> str | None:
        """The transaction of its outcome; None if it was refused or is not answered."""
        return self.answers[0][1] if self.answers else None


@dataclass
class History:
    """All requests, the violations found, and counts of what happened."""

    opening: dict[str, int]
    requests: list[Request] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def record_answer(self, request: Request, outcome: dict[str, Any]) -> None:
        """Record an outcome, which must be that of the earlier answers."""
        transaction = (outcome.get("transaction") or {}).get("id")
        answer = (outcome["__typename"], transaction, None if transaction else outcome.get("message"))
        request.answers.append(answer)
        self.counts[answer[0]] += 1
        if answer != request.answers[0]:
            self.violations.append(f"key {request.key} was answered {request.answers[0]} and then {answer}")

    def check_snapshot(self, accounts: list[dict[str, Any] | None]) -> None:
        """Check the balances that one query read of all accounts."""
        self.counts["snapshots"] += 1
        found = [account for account in accounts if account is not None]
        if len(found) < len(self.opening):
            self.violations.append("an account is missing")
        booked = sum(minor(account["balance"]["booked"]["amount"]) for account in found)
        if booked != sum(self.opening.values()):
            self.violations.append(f"all accounts together have {booked}, not {sum(self.opening.values())}")
        for account in found:
            if minor(account["balance"]["available"]["amount"]) < 0:
                self.violations.append(f"account {account['id']} is below its floor")

    async def compare(self, dsn: str, number_of: dict[str, str]) -> None:
        """Compare the answers with the transactions and balances in the database."""
        unanswered = [request.key for request in self.requests if not request.answers]
        if unanswered:
            self.violations.append(f"{len(unanswered)} requests were never answered")
        connection = await asyncpg.connect(dsn)
        try:
            stored = await connection.fetch("SELECT id FROM transactions WHERE kind <> 'DEPOSIT'")
            rows = await connection.fetch("SELECT a.number, b.booked FROM accounts a JOIN balances b ON b.account_id = a.id")
        finally:
            await connection.close()
        posted = [each for each in self.requests if each.transaction_id and each.mutation != "releaseHold"]
        answered = Counter(request.transaction_id for request in posted)
        doubled = [transaction for transaction, count in answered.items() if count > 1]
        if doubled:
            self.violations.append(f"{len(doubled)} transactions are the answer to more than one key")
        if len(stored) != len(answered):
            self.violations.append(f"{len(stored)} transactions are stored, and {len(answered)} were answered to clients")
        expected = dict(self.opening)
        for request in self.requests:
            if request.transaction_id:
                for account, change in request.effect.items():
                    expected[account] += change
        found = {row["number"]: row["booked"] for row in rows}
        for account, booked in expected.items():
            if found.get(number_of[account]) != booked:
                self.violations.append(
                    f"account {account} has booked {found.get(number_of[account])}, and by the answers {booked}"
                )


def minor(amount: str) -> int:
    """Return an amount in euros as cents."""
    return round(float(amount) * 100)
