"""What clients asked and were told, and what must then be in the books."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import asyncpg


@dataclass
class Asked:
    """One request for a movement, however often it was sent.

    Attributes:
        effect: what it does to booked balances in minor units, if it moves money.
        answers: the definite answers, refusals included; (type, transaction id, refusal's message).
    """

    key: str
    mutation: str
    given: dict[str, Any]
    effect: dict[str, int]
    answers: list[tuple[str, str | None, str | None]] = field(default_factory=list)

    @property
    def transaction_id(self) -> str | None:
        """The transaction that it made, if it moved money."""
        return self.answers[0][1] if self.answers else None


@dataclass
class History:
    """All that happened, and what is wrong with it."""

    opening: dict[str, int]
    asked: list[Asked] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def answered(self, asked: Asked, answer: dict[str, Any]) -> None:
        """Take down a definite answer."""
        transaction = (answer.get("transaction") or {}).get("id")
        told = (answer["__typename"], transaction, None if transaction else answer.get("message"))
        asked.answers.append(told)
        self.counts[told[0]] += 1
        if told != asked.answers[0]:
            self.violations.append(f"key {asked.key} was answered {asked.answers[0]} and then {told}")

    def snapshot(self, accounts: list[dict[str, Any] | None]) -> None:
        """Take down all balances as they were in one reading."""
        self.counts["snapshots"] += 1
        there = [account for account in accounts if account is not None]
        if len(there) < len(self.opening):
            self.violations.append("an account is gone")
        booked = sum(minor(account["balance"]["booked"]["amount"]) for account in there)
        if booked != sum(self.opening.values()):
            self.violations.append(f"all accounts together have {booked}, not {sum(self.opening.values())}")
        for account in there:
            if minor(account["balance"]["available"]["amount"]) < 0:
                self.violations.append(f"account {account['id']} is below its floor")

    async def compare(self, dsn: str, number_of: dict[str, str]) -> None:
        """Hold the answers against the books themselves."""
        unanswered = [asked.key for asked in self.asked if not asked.answers]
        if unanswered:
            self.violations.append(f"{len(unanswered)} requests were never answered")
        connection = await asyncpg.connect(dsn)
        try:
            made = await connection.fetch("SELECT id FROM transactions WHERE kind <> 'DEPOSIT'")
            rows = await connection.fetch("SELECT a.number, b.booked FROM accounts a JOIN balances b ON b.account_id = a.id")
        finally:
            await connection.close()
        told = Counter(asked.transaction_id for asked in self.asked if asked.transaction_id and asked.mutation != "releaseHold")
        doubled = [transaction for transaction, times in told.items() if times > 1]
        if doubled:
            self.violations.append(f"{len(doubled)} transactions were told to more than one key")
        if len(made) != len(told):
            self.violations.append(f"{len(made)} transactions are in the books, {len(told)} were told to clients")
        expected = dict(self.opening)
        for asked in self.asked:
            if asked.transaction_id:
                for account, change in asked.effect.items():
                    expected[account] += change
        found = {row["number"]: row["booked"] for row in rows}
        for account, booked in expected.items():
            if found.get(number_of[account]) != booked:
                self.violations.append(f"account {account} has booked {found.get(number_of[account])}, by the answers {booked}")


def minor(amount: str) -> int:
    """An amount in euros, in cents."""
    return round(float(amount) * 100)
