"""A year of a bank, twice: in its statements and documents, and in a second computation that keeps its own books."""

import csv
import io
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import httpx
from lxml import etree

from bank_graphql.bank import CHECKS, Bank
from bank_graphql.clearing.enums import SandboxNumber
from bank_graphql.ledger import verification
from tests.client import ABROAD, Client
from tests.statements.test_documents import NS, XSD, get

START = datetime(2030, 1, 1, tzinfo=UTC)
FIELDS = (
    "number from to openingBalance { amount } closingBalance { amount } totalCredits { amount } totalDebits { amount } entryCount "
    "csvUrl camt053Url pdfUrl"
)


class Books:
    """What each account was credited and debited, month by month."""

    def __init__(self) -> None:
        self.entries: dict[str, dict[int, list[Decimal]]] = defaultdict(lambda: defaultdict(list))

    def move(self, month: int, amount: str, source: str | None, target: str | None) -> None:
        """Note a movement between two accounts; None is one of the bank's own."""
        for account, signed in ((source, -Decimal(amount)), (target, Decimal(amount))):
            if account is not None:
                self.entries[account][month].append(signed)


async def exchange_with_other_banks(month: int, chance: Random, books: Books, ada: Client, account: str) -> None:
    """Pay to other banks and be paid by one: a payment is settled, one comes back before and one afterwards, one fails by itself."""
    number = (await ada.account(account, "number"))["number"]
    settled, early, late = [f"{chance.randrange(100, 5000) / 100:.2f}" for _ in range(3)]
    sent = [(await ada.send(account, each, description=f"Abroad {each}"))["transaction"]["id"] for each in (settled, early, late)]
    await ada.send(account, "1", SandboxNumber.FAILS.value)
    for transfer, amount in ((sent[0], settled), (sent[2], late)):
        await ada.settle(transfer)
        books.move(month, amount, account, None)
    await ada.return_transfer(sent[1], "AC01")
    await ada.return_transfer(sent[2], "MD07")
    books.move(month, late, None, account)
    await ada.receive(
        number, "12.34", description=f"From abroad {month}", reference=f"SALARY {month}", fromName=f"Employer {month}"
    )
    books.move(month, "12.34", None, account)


async def live(
    month: int, chance: Random, books: Books, clients: tuple[Client, Client, Client], accounts: dict[str, str]
) -> None:
    """Let a month pass: a salary, rent, cards, refunds, mistakes, other banks, and holds that are captured, released, or expire."""
    ada, grace, teller = clients
    everyday, savings, landlord, card = (accounts[name] for name in ("everyday", "savings", "landlord", "card"))

    async def moved(outcome: Any) -> str:
        assert (await outcome)["__typename"] == "MoneyMoved"
        return ""

    await teller.deposit(everyday, "2500.00", description=f"Salary {month}")
    books.move(month, "2500.00", None, everyday)
    await moved(ada.transfer(everyday, landlord, "900", description=f"Rent {month}"))
    books.move(month, "900", everyday, landlord)
    saved = str(chance.randrange(100, 300))
    await moved(ada.transfer(everyday, savings, saved))
    books.move(month, saved, everyday, savings)
    await exchange_with_other_banks(month, chance, books, ada, everyday)
    for week in range(4):
        await ada.advance(START.replace(month=month, day=2 + 7 * week))
        amount = f"{chance.randrange(100, 9000) / 100:.2f}"
        authorised = (await ada.authorize(card, amount))["transaction"]["id"]
        if week % 2:
            payment = (await ada.capture_hold(authorised))["transaction"]["id"]
            books.move(month, amount, everyday, None)
            if chance.random() < 0.5:
                await moved(ada.refund(payment, "0.50"))
                books.move(month, "0.50", None, everyday)
    wrong = (await grace.transfer(landlord, everyday, "33.33", description="Wrong"))["transaction"]["id"]
    books.move(month, "33.33", landlord, everyday)
    await moved(teller.reverse(wrong))
    books.move(month, "33.33", everyday, landlord)
    hold = (await ada.place_hold(everyday, landlord, "40"))["transaction"]["id"]
    await (grace.capture_hold(hold, "15") if month % 3 else grace.release_hold(hold))
    if month % 3:
        books.move(month, "15", everyday, landlord)
    end = (START.replace(month=month) + timedelta(days=32)).replace(day=1)
    assert (await ada.advance(end))["__typename"] == "ClockAdvanced"


def require_codes(document: etree._Element, month: int, count: int) -> None:
    """Check that a month has so many payments to other banks, from them, and returned by them, each with its code."""
    found = Counter(
        (each.findtext(".//c:Fmly/c:Cd", namespaces=NS), each.findtext(".//c:SubFmlyCd", namespaces=NS))
        for each in document.findall(".//c:BkTxCd", NS)
    )
    assert found["ICDT", "ESCT"] == 2 * count
    assert found["RCDT", "ESCT"] == found["ICDT", "RRTN"] == count
    assert [each.text for each in document.findall(".//c:RtrInf/c:Rsn/c:Cd", NS)] == ["MD07"] * count
    others = [each.text for each in document.findall(".//c:DbtrAcct//c:IBAN", NS) + document.findall(".//c:CdtrAcct//c:IBAN", NS)]
    assert others.count(ABROAD) == 4 * count
    assert [each.text for each in document.findall(".//c:Refs/c:EndToEndId", NS)] == [f"SALARY {month}"] * count


async def test_a_year_adds_up(ada: Client, grace: Client, teller: Client, http: httpx.AsyncClient, bank: Bank) -> None:
    await ada.advance(START)
    accounts = {
        "everyday": (await ada.open(name="Everyday"))["id"],
        "savings": (await ada.open(kind="SAVINGS"))["id"],
        "landlord": (await grace.open())["id"],
    }
    accounts["card"] = (await ada.issue(accounts["everyday"]))["id"]
    books, chance = Books(), Random(4)
    for month in range(1, 13):
        await live(month, chance, books, (ada, grace, teller), accounts)
    for name in ("everyday", "savings", "landlord"):
        account, balance = accounts[name], Decimal(0)
        shown = (await teller.account(account, f"statements(last: 100) {{ nodes {{ {FIELDS} }} }}"))["statements"]["nodes"][::-1]
        assert [each["number"] for each in shown] == list(range(1, 13))
        for month, statement in enumerate(shown, 1):
            entries = books.entries[account][month]
            expected = {
                "openingBalance": balance,
                "totalCredits": sum((each for each in entries if each > 0), Decimal(0)),
                "totalDebits": -sum((each for each in entries if each < 0), Decimal(0)),
                "closingBalance": balance + sum(entries, Decimal(0)),
            }
            assert {field: Decimal(statement[field]["amount"]) for field in expected} == expected
            balance = expected["closingBalance"]
            assert (statement["entryCount"], statement["from"][5:7], statement["to"][5:7]) == (
                len(entries), f"{month:02}", f"{month:02}",
            )  # fmt: skip
            rows = list(csv.DictReader(io.StringIO((await get(http, statement["csvUrl"])).text)))
            assert [Decimal(row["Amount"]) for row in rows] == entries
            document = etree.fromstring((await get(http, statement["camt053Url"])).content)
            XSD.assertValid(document)
            assert len(document.findall(".//c:Ntry", NS)) == len(entries)
            require_codes(document, month, 1 if name == "everyday" else 0)
            closing = document.findall(".//c:Bal", NS)[1].findtext("c:Amt", namespaces=NS)
            assert closing == statement["closingBalance"]["amount"]
            assert (await get(http, statement["pdfUrl"])).content.startswith(b"%PDF")
    assert all(finding.ok for finding in await verification.verify(bank.db, CHECKS))
