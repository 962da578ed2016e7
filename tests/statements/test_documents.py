"""Documents of statements and exports: PDF, CSV and camt.053, behind links that expire."""

import asyncio
import csv
import hashlib
import io
import shutil
import subprocess
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import httpx
import pytest
from lxml import etree
from ofxstatement.plugins.iso20022 import Iso20022Plugin
from ofxstatement.ui import UI

from bank_graphql.app import create_app
from bank_graphql.bank import Bank
from bank_graphql.kit.links import Links
from bank_graphql.kit.money import CURRENCY_DIGITS
from bank_graphql.ledger.enums import TransactionKind
from bank_graphql.settings import Settings
from bank_graphql.statements.documents import fonts
from bank_graphql.statements.documents.content import Content, Counterparty, Line
from bank_graphql.statements.documents.pdf import MAX_RUNNING, PdfWriter
from bank_graphql.web import documents
from tests.client import Client
from tests.serving import serving

JANUARY, FEBRUARY = datetime(2030, 1, 15, 12, tzinfo=UTC), datetime(2030, 2, 1, tzinfo=UTC)
XSD = etree.XMLSchema(etree.parse(Path(__file__).parent / "camt.053.001.08.xsd"))
"""ISO's schema, as published: https://www.iso20022.org."""
NS = {"c": "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"}
LINKS = "statements(first: 1) { nodes { id number closingBalance { amount } pdfUrl csvUrl camt053Url } }"
DESCRIPTIONS = [
    "x\uffffy", "\u05d0\ufdd0", "\u07b5", "\u200b=1+1", "\ufeff=1",
    "Miete für Müller & Söhne <Hof> \"A\"",
    "=1+1", "+49 89 123", "-1", "@home", "plain, with a comma", "Überweisung" + " Überweisung" * 40,
    "دفع فاتورة رقم 4711 (شركة النور)", "תשלום חשבונית 4711", "支付发票 北京科技有限公司", "東京電力 電気料金", "한국전력공사",
    "बिजली बिल", "ชำระค่าไฟฟ้า", "Pizza 🍕😀 👩‍👩‍👧", "x" * 500,
]  # fmt: skip
WRITABLE = DESCRIPTIONS[2:]
"""Noncharacters are refused now; what was written before may have them."""


async def get(http: httpx.AsyncClient, link: str) -> httpx.Response:
    """Open a link."""
    parts = urlsplit(link)
    return await http.get(f"{parts.path}?{parts.query}")


async def links_of(client: Client, account: str) -> dict[str, Any]:
    """The account's newest statement, with its links."""
    found: dict[str, Any] = (await client.account(account, LINKS))["statements"]["nodes"][0]
    return found


async def month_of(ada: Client, grace: Client, teller: Client, currency: str = "EUR") -> str:
    """A month in the life of an account, with every kind of entry; returns the account."""
    await ada.advance(JANUARY)
    unit = Decimal(1).scaleb(-CURRENCY_DIGITS[currency])
    account = (await ada.open(currency, deposit=str(900 + unit), name="Haushalt & Co."))["id"]
    other = (await grace.open(currency, deposit="500"))["id"]
    card = (await ada.issue(account))["id"]
    for days, description in enumerate(WRITABLE):
        await ada.advance(JANUARY + timedelta(hours=days))
        assert (await ada.transfer(account, other, "2", currency, description=description))["__typename"] == "MoneyMoved"
    wrong = (await grace.transfer(other, account, "50", currency, description="Wrong account"))["transaction"]["id"]
    await teller.reverse(wrong)
    await ada.withdraw(account, "20", currency)
    authorised = (await ada.authorize(card, "30", currency))["transaction"]["id"]
    paid = (await ada.capture_hold(authorised))["transaction"]["id"]
    await ada.refund(paid, "10", currency)
    await ada.advance(FEBRUARY)
    return str(account)


async def entries_of(client: Client, account: str) -> list[dict[str, Any]]:
    """All entries of an account, oldest first, as the API shows them."""
    fields = (
        "entries(first: 100) { nodes { bookedAt amount { amount currency } balanceAfter { amount } counterparty { name } "
        "transaction { kind reference description reverses { kind } } } }"
    )
    found: list[dict[str, Any]] = (await client.account(account, fields))["entries"]["nodes"]
    return found[::-1]


@pytest.mark.parametrize("currency", ["EUR", "JPY", "KWD"])
async def test_a_camt053_is_valid_and_has_what_the_api_shows(
    ada: Client, grace: Client, teller: Client, http: httpx.AsyncClient, currency: str
) -> None:
    account = await month_of(ada, grace, teller, currency)
    response = await get(http, (await links_of(ada, account))["camt053Url"])
    assert response.headers["content-type"] == "application/xml"
    document = etree.fromstring(response.content)
    XSD.assertValid(document)
    entries = await entries_of(ada, account)
    shown = document.findall(".//c:Ntry", NS)
    assert len(shown) == len(entries) == len(WRITABLE) + 6
    for element, entry in zip(shown, entries, strict=True):
        sign = 1 if element.findtext("c:CdtDbtInd", namespaces=NS) == "CRDT" else -1
        amount = element.find("c:Amt", NS)
        assert amount is not None
        assert amount.text is not None
        assert sign * Decimal(amount.text) == Decimal(entry["amount"]["amount"])
        assert amount.get("Ccy") == currency
        assert element.findtext("c:AcctSvcrRef", namespaces=NS) == entry["transaction"]["reference"]
        assert element.findtext("c:BookgDt/c:Dt", namespaces=NS) == entry["bookedAt"][:10]
        text = "".join(each.text or "" for each in element.findall(".//c:Ustrd", NS))
        assert text == (entry["transaction"]["description"] or "")
        reversed_ = entry["transaction"]["kind"] == "REVERSAL"
        assert (element.findtext("c:RvslInd", namespaces=NS) == "true") is reversed_
        direction = "Cdtr" if (sign < 0) is not reversed_ else "Dbtr"
        assert element.findtext(f".//c:{direction}/c:Pty/c:Nm", namespaces=NS) == entry["counterparty"]["name"]
    codes = {"/".join(each.itertext()) for each in document.findall(".//c:BkTxCd/c:Domn", NS)}
    assert codes == {
        "PMNT/CNTR/CDPT", "PMNT/CNTR/CWDL", "PMNT/ICDT/BOOK", "PMNT/RCDT/BOOK", "PMNT/CCRD/POSD", "PMNT/CCRD/RIMB",
    }  # fmt: skip
    balances = {
        each.findtext(".//c:Cd", namespaces=NS): (
            each.findtext("c:Amt", namespaces=NS),
            each.findtext(".//c:Dt/c:Dt", namespaces=NS),
        )
        for each in document.findall(".//c:Bal", NS)
    }
    zero = f"{Decimal(0):.{CURRENCY_DIGITS[currency]}f}"
    assert balances == {"OPBD": (zero, "2030-01-14"), "CLBD": (entries[-1]["balanceAfter"]["amount"], "2030-01-31")}


async def test_another_program_reads_a_camt053(
    ada: Client, grace: Client, teller: Client, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    account = await month_of(ada, grace, teller)
    file = tmp_path / "statement.xml"
    file.write_bytes((await get(http, (await links_of(ada, account))["camt053Url"])).content)
    read = Iso20022Plugin(UI(), {}).get_parser(str(file)).parse()
    entries = await entries_of(ada, account)
    assert [line.amount for line in read.lines] == [Decimal(entry["amount"]["amount"]) for entry in entries]
    assert (read.currency, read.start_balance) == ("EUR", Decimal(0))
    assert read.end_balance == Decimal(entries[-1]["balanceAfter"]["amount"])
    assert [f"{line.date:%Y-%m-%d}" for line in read.lines] == [entry["bookedAt"][:10] for entry in entries]


async def test_a_month_without_entries_is_valid_too(ada: Client, http: httpx.AsyncClient) -> None:
    await ada.advance(JANUARY)
    account = (await ada.open(kind="CREDIT"))["id"]
    await ada.transfer(account, (await ada.open())["id"], "5")
    await ada.advance(FEBRUARY + timedelta(days=28))
    links = await links_of(ada, account)
    document = etree.fromstring((await get(http, links["camt053Url"])).content)
    XSD.assertValid(document)
    assert document.findall(".//c:Ntry", NS) == []
    assert document.findtext(".//c:ElctrncSeqNb", namespaces=NS) == "2"
    for balance in document.findall(".//c:Bal", NS):
        assert (balance.findtext("c:Amt", namespaces=NS), balance.findtext("c:CdtDbtInd", namespaces=NS)) == ("5.00", "DBIT")
    assert (await get(http, links["csvUrl"])).text.count("\r\n") == 1
    assert b"Closing balance" in (await get(http, links["pdfUrl"])).content


async def test_a_csv_has_all_entries_and_no_formula(ada: Client, grace: Client, teller: Client, http: httpx.AsyncClient) -> None:
    account = await month_of(ada, grace, teller)
    response = await get(http, (await links_of(ada, account))["csvUrl"])
    assert response.headers["content-type"] == "text/csv; charset=utf-8; header=present"
    text = response.content.decode()
    assert "\n" not in text.replace("\r\n", "")
    rows = list(csv.DictReader(io.StringIO(text), strict=True))
    entries = await entries_of(ada, account)
    for row, entry in zip(rows, entries, strict=True):
        assert (row["Date"], row["Amount"], row["Balance"], row["Reference"]) == (
            entry["bookedAt"][:10], entry["amount"]["amount"], entry["balanceAfter"]["amount"], entry["transaction"]["reference"],
        )  # fmt: skip
        assert row["Description"].lstrip("'") == (entry["transaction"]["description"] or "")
        for name in ("Kind", "Counterparty", "Counterparty account", "Description"):
            assert not row[name].startswith(("=", "+", "-", "@", "\t"))


@pytest.mark.parametrize("format_", ["pdfUrl", "csvUrl", "camt053Url"])
async def test_a_document_stays_the_same_to_the_byte(
    ada: Client, grace: Client, teller: Client, http: httpx.AsyncClient, settings: Settings, format_: str
) -> None:
    """After a change of names, and from a bank of another name and time zone."""
    account = await month_of(ada, grace, teller)
    first = (await get(http, (await links_of(ada, account))[format_])).content
    rename = "mutation ($name: String!) { updateProfile(fullName: $name) { __typename } }"
    for client in (ada, grace):
        await client.run(rename, name="Somebody Else")
    await ada.run('mutation ($id: ID!) { renameAccount(id: $id, name: "New") { __typename } }', id=account)
    await ada.advance(FEBRUARY + timedelta(days=20))
    assert (await get(http, (await links_of(ada, account))[format_])).content == first
    other = settings.model_copy(update={"name": "Another", "bic": "ANOTDEFFXXX", "time_zone": "Asia/Tokyo"})
    async with serving(create_app(other)) as there:
        assert (await get(there, (await links_of(ada, account))[format_])).content == first


async def test_a_link_opens_one_document_until_it_expires(
    ada: Client, grace: Client, teller: Client, http: httpx.AsyncClient, bank: Bank
) -> None:
    account = await month_of(ada, grace, teller)
    links = await links_of(ada, account)
    parts = urlsplit(links["csvUrl"])
    response = await get(http, links["csvUrl"])
    assert response.status_code == 200
    iban = (await ada.account(account))["number"]
    assert response.headers["content-disposition"] == (f'attachment; filename="statement-0001-{iban}-2030-01-15-2030-01-31.csv"')
    assert response.headers["cache-control"] == "private, no-store"
    refused = await http.get(parts.path)
    assert (refused.status_code, refused.text) == (404, "This link is not valid, or has expired. Request a new one.\n")
    whole = f"{parts.path}?{parts.query}"
    for index, letter in enumerate(whole):
        if index < len("/statements/"):
            continue
        for other in {"0", "1", "f", letter.upper()} - {letter}:
            changed = await http.get(whole[:index] + other + whole[index + 1 :])
            assert changed.status_code == 404, whole[:index] + other + whole[index + 1 :]
    for kind in ("pdfUrl", "camt053Url"):
        assert (await http.get(f"{urlsplit(links[kind]).path}?{parts.query}")).status_code == 404
    now = datetime.now(UTC)
    keys = bank.people.identity.sessions.tokens.private_keys
    for minutes, is_valid in ((13, True), (16, False)):
        later = Links("", keys, lambda minutes=minutes: now + timedelta(minutes=minutes))  # type: ignore[misc]
        query = dict(pair.split("=") for pair in parts.query.split("&"))
        assert later.is_valid(parts.path, query["expires"], query["signature"]) is is_valid


@pytest.mark.parametrize("format_", ["PDF", "CSV", "CAMT053"])
async def test_entries_of_any_period_are_exported(
    ada: Client, grace: Client, teller: Client, http: httpx.AsyncClient, format_: str
) -> None:
    account = await month_of(ada, grace, teller)
    export = (
        "mutation ($id: ID!, $from: Date!, $to: Date!, $format: ExportFormat!) { exportEntries(accountId: $id, from: $from, "
        "to: $to, format: $format) { __typename ... on EntryExport { url expiresAt } ... on ValidationRejection { fields { code } } } }"
    )
    given = {"id": account, "from": "2030-01-16", "to": "2030-01-16", "format": format_}
    answer = (await ada.run(export, **given))["exportEntries"]
    response = await get(http, answer["url"])
    assert response.status_code == 200
    entries = [entry for entry in await entries_of(ada, account) if entry["bookedAt"].startswith("2030-01-16")]
    assert len(entries) > 3
    if format_ == "CSV":
        rows = list(csv.DictReader(io.StringIO(response.text)))
        assert [row["Reference"] for row in rows] == [entry["transaction"]["reference"] for entry in entries]
    if format_ == "CAMT053":
        XSD.assertValid(etree.fromstring(response.content))
    assert (await grace.run(export, **given))["exportEntries"]["__typename"] == "NotFoundRejection"
    assert (await teller.run(export, **given))["exportEntries"]["__typename"] == "EntryExport"
    answer = (await ada.run(export, **{**given, "to": "2030-01-15"}))["exportEntries"]
    assert answer["fields"] == [{"code": "INVALID"}]


async def test_a_pdf_has_all_that_a_customer_looks_for(
    ada: Client, grace: Client, teller: Client, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed; .ci/run installs it")
    account = await month_of(ada, grace, teller)
    response = await get(http, (await links_of(ada, account))["pdfUrl"])
    assert response.headers["content-type"] == "application/pdf"
    file = tmp_path / "statement.pdf"
    file.write_bytes(response.content)
    text = subprocess.run(["pdftotext", "-layout", str(file), "-"], check=True, capture_output=True, text=True).stdout
    iban = (await ada.account(account))["number"]
    spaced = " ".join(iban[start : start + 4] for start in range(0, len(iban), 4))
    for part in (
        *("The Bank", "Account statement no. 1", "Ada Lovelace", "Haushalt & Co.", spaced, "BANKDEX0"),
        *("2030-01-15 to 2030-01-31", "Opening balance", "Closing balance", "Carried forward", "Brought forward"),
        *("Page 1 of", "Grace Hopper", "Café Central", "Card payment", "Card refund", "Reversal of a transfer", "Müller"),
        *("支付发票", "東京電力", "한국전력공사", "900.01"),
    ):
        assert part in text, part
    closing = (await entries_of(ada, account))[-1]["balanceAfter"]["amount"]
    assert text.count(closing) == 3
    fonts = subprocess.run(["pdffonts", str(file)], check=True, capture_output=True, text=True).stdout.splitlines()[2:]
    assert fonts
    assert all(" yes yes yes " in f"{line} " for line in fonts)  # embedded, a subset, and with the meaning of its characters


class _Lines:
    """A content whose lines are made, for a document that does not depend on a database."""

    def __init__(self, content: Content, lines: list[Line]) -> None:
        self._content, self._lines = content, lines

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def lines(self, _: object) -> Any:
        yield self._lines


async def test_a_pdf_is_the_one_that_was_made_when_this_was_written() -> None:
    """If a newer library or font changes it, documents of old statements need the older one: a new format is to be added."""
    zone = ZoneInfo("Europe/Berlin")
    content = Content(
        id="0" * 32, number=7, layout=1, bank_name="The Bank", bic="BANKDEX0", holder_name="Ada Lovelace", account_id=UUID(int=1),
        account_name="Everyday", account_number="DE02120300000000202051", currency="EUR", from_date=date(2030, 1, 1),
        to_date=date(2030, 1, 31), opening_balance=0, closing_balance=len(DESCRIPTIONS), total_credits=len(DESCRIPTIONS),
        total_debits=0, entry_count=len(DESCRIPTIONS), issued_at=datetime(2030, 2, 1, tzinfo=UTC), zone=zone, counterparties={},
        after_entry_id=0, last_entry_id=9,
    )  # fmt: skip
    at = datetime(2030, 1, 2, tzinfo=zone)
    lines = [
        Line(n, at, 1, n + 1, TransactionKind.TRANSFER, False, "REF", text, Counterparty("Grace", "••••1234"))
        for n, text in enumerate(DESCRIPTIONS)
    ]
    made = b"".join([part async for part in PdfWriter().write(None, _Lines(content, lines))])  # type: ignore[arg-type]
    assert hashlib.sha256(made).hexdigest() == PDF_DIGEST


PDF_DIGEST = "2aa66913f586d1e51afb808b1deacda474ae1bcc0a55c2a31040fd63c43fe541"


async def test_documents_that_are_requested_at_the_same_time_are_equal(
    ada: Client, grace: Client, teller: Client, http: httpx.AsyncClient
) -> None:
    account = await month_of(ada, grace, teller)
    link = (await links_of(ada, account))["pdfUrl"]
    answers = await asyncio.gather(*(get(http, link) for _ in range(4)))
    assert len({answer.content for answer in answers}) == 1


async def test_too_many_documents_at_a_time_are_refused(
    ada: Client, grace: Client, teller: Client, http: httpx.AsyncClient
) -> None:
    account = await month_of(ada, grace, teller)
    link = (await links_of(ada, account))["pdfUrl"]
    answers = await asyncio.gather(*(get(http, link) for _ in range(MAX_RUNNING + 4)))
    refused = [answer for answer in answers if answer.status_code != 200]
    assert {(answer.status_code, answer.text) for answer in refused} <= {(503, "Too many documents are being made. Try again.\n")}
    assert len({answer.content for answer in answers if answer.status_code == 200}) == 1
    assert refused
    assert (await get(http, link)).status_code == 200


async def test_what_was_written_before_it_was_refused_breaks_no_document(
    ada: Client, grace: Client, teller: Client, http: httpx.AsyncClient, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    account = await month_of(ada, grace, teller)
    await raw.execute(
        "UPDATE transaction_notes SET description = $1", "\u05d0\ufdd0\u07b5 \uffff\U0010ffff \x0b\x00 ]]>".replace("\0", "")
    )
    links = await links_of(ada, account)
    XSD.assertValid(etree.fromstring((await get(http, links["camt053Url"])).content))
    assert (await get(http, links["pdfUrl"])).content.rstrip().endswith(b"%%EOF")


async def test_every_character_can_be_shown() -> None:
    for start in range(0, 0x11000, 64):
        text = "".join(map(chr, range(start, start + 64)))
        for given in (text, f"\u05d0{text}\u0627 {text}", text[::-1]):
            assert all(part for line in fonts.wrap(given, 8, 200) for part in fonts.runs(line))


async def test_a_turnover_that_no_balance_could_reach_is_no_obstacle(
    ada: Client, http: httpx.AsyncClient, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await ada.advance(JANUARY)
    account = (await ada.open("JPY", deposit="1"))["id"]
    await raw.execute(
        "SET session_replication_role = replica; "
        "INSERT INTO entries (transaction_id, account_id, amount, balance_after, booked_at) "
        "SELECT e.transaction_id, e.account_id, CASE n % 2 WHEN 0 THEN -1 ELSE 1 END * 4 * 10::numeric^18, "
        "CASE n % 2 WHEN 0 THEN 1 ELSE 4 * 10::numeric^18 + 1 END, e.booked_at "
        "FROM entries e, generate_series(1, 10) AS n WHERE e.amount > 0 ORDER BY n"
    )
    await ada.advance(FEBRUARY)
    links = await links_of(ada, account)
    assert links["closingBalance"]["amount"] == "1"
    shown = await ada.account(account, "statements(first: 1) { nodes { totalCredits { amount } totalDebits { amount } } }")
    assert shown["statements"]["nodes"] == [
        {"totalCredits": {"amount": "20000000000000000001"}, "totalDebits": {"amount": "20000000000000000000"}}
    ]
    for name in ("pdfUrl", "csvUrl"):
        assert (await get(http, links[name])).status_code == 200


async def test_a_pdf_that_is_too_long_is_refused(
    ada: Client, grace: Client, teller: Client, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await month_of(ada, grace, teller)
    links = await links_of(ada, account)
    monkeypatch.setattr(documents, "MAX_ENTRIES", 5)
    refused = await get(http, links["pdfUrl"])
    assert (refused.status_code, refused.text) == (422, "A PDF has 50,000 entries at most. Open this as CSV or camt.053.\n")
    assert (await get(http, links["csvUrl"])).status_code == 200
