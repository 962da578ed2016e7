"""A customer's file of payments is imported and answered; files for the clearing have each payment once, and are valid."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from lxml import etree

from bank_graphql.bank import Bank
from bank_graphql.clearing.enums import SandboxNumber
from bank_graphql.messages import service
from bank_graphql.messages.pain001 import InvalidFileError
from bank_graphql.messages.service import Imported
from tests.client import ABROAD, Client
from tests.e2e.processes import command

NOON = datetime(2030, 1, 17, 12, tzinfo=UTC)
PAIN002, PACS008 = (
    etree.XMLSchema(etree.parse(Path(__file__).parent / f"{name}.xsd")) for name in ("pain.002.001.12", "pacs.008.001.08")
)
"""ISO's schemas, as published: https://www.iso20022.org."""
NS = {"r": "urn:iso:std:iso:20022:tech:xsd:pain.002.001.12", "p": "urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08"}


def payment(
    end_to_end: str, number: str, amount: str = "10.00", currency: str = "EUR", text: str = "Invoice 7", name: str = "Jane"
) -> str:
    """A credit transfer of an initiation."""
    return (
        f"<CdtTrfTxInf><PmtId><InstrId>I-{end_to_end}</InstrId><EndToEndId>{end_to_end}</EndToEndId></PmtId>"
        f'<Amt><InstdAmt Ccy="{currency}">{amount}</InstdAmt></Amt><Cdtr><Nm>{name}</Nm></Cdtr>'
        f"<CdtrAcct><Id><IBAN>{number}</IBAN></Id></CdtrAcct><RmtInf><Ustrd>{text}</Ustrd></RmtInf></CdtTrfTxInf>"
    )


def group(debtor: str, *payments: str, name: str = "P-1", day: str = "<Dt>2030-01-17Z</Dt>", method: str = "TRF") -> str:
    """A group of credit transfers from one account."""
    return (
        f"<PmtInf><PmtInfId>{name}</PmtInfId><PmtMtd>{method}</PmtMtd><ReqdExctnDt>{day}</ReqdExctnDt><Dbtr><Nm>Ada</Nm></Dbtr>"
        f"<DbtrAcct><Id><IBAN>{debtor}</IBAN></Id></DbtrAcct><DbtrAgt><FinInstnId><BICFI>BANKDEX0</BICFI></FinInstnId></DbtrAgt>"
        f"{''.join(payments)}</PmtInf>"
    )


def initiation(*groups: str, count: int | None = None, total: str | None = None, name: str = "M-1") -> bytes:
    """A customer credit transfer initiation."""
    body = "".join(groups)
    control = "" if total is None else f"<CtrlSum>{total}</CtrlSum>"
    return (
        '<?xml version="1.0" encoding="UTF-8"?><Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"><CstmrCdtTrfInitn>'
        f"<GrpHdr><MsgId>{name}</MsgId><CreDtTm>2030-01-17T09:00:00Z</CreDtTm>"
        f"<NbOfTxs>{body.count('<CdtTrfTxInf>') if count is None else count}</NbOfTxs>{control}<InitgPty><Nm>Ada</Nm></InitgPty></GrpHdr>"
        f"{body}</CstmrCdtTrfInitn></Document>"
    ).encode()


@pytest.fixture
async def at_noon(ada: Client, bank: Bank) -> None:
    """Let it be the day on which payments of these files are made."""
    await ada.advance(NOON)
    await bank.clock.read()


async def run_import(bank: Bank, data: bytes) -> Imported:
    """Import an initiation; its report must be valid."""
    imported = await service.import_initiation(bank.db, bank.execute, bank.clock, bank.policy.clearing.days, data)
    PAIN002.assertValid(etree.fromstring(imported.report))
    return imported


def statuses(imported: Imported) -> list[tuple[str | None, str | None, str | None]]:
    """The reports on the credit transfers: end-to-end identification, status and reason."""
    found = etree.fromstring(imported.report).findall(".//r:TxInfAndSts", NS)
    return [tuple(each.findtext(path, namespaces=NS) for path in ("r:OrgnlEndToEndId", "r:TxSts", ".//r:Cd")) for each in found]


@pytest.mark.usefixtures("at_noon")
async def test_an_initiation_is_made_once_and_answered(ada: Client, grace: Client, bank: Bank) -> None:
    payer, payee = await ada.open(deposit="100"), await grace.open()
    file = initiation(
        group(
            payer["number"],
            payment("in", payee["number"], "20.00"),
            payment("out", ABROAD, "30.00", text="Müller &amp; Söhne"),
            payment("too much", ABROAD, "999.00"),
            payment("no such account", payee["number"][:-4] + "0000"),
            payment("dollars", ABROAD, "1.00", "USD"),
            payment("part of a cent", ABROAD, "1.001"),
        ),
        group("DE89370400440532013000", payment("not ours", ABROAD), name="P-2"),
        group(payer["number"], payment("later", ABROAD), name="P-3", day="<DtTm>2030-01-18T09:00:00Z</DtTm>"),
        group(payer["number"], payment("cheque", ABROAD), name="P-4", method="TRA"),
    )
    first = await run_import(bank, file)
    assert statuses(first) == [
        ("in", "ACSC", None), ("out", "ACSP", None), ("too much", "RJCT", "AM04"), ("no such account", "RJCT", "AC03"),
        ("dollars", "RJCT", "AM03"), ("part of a cent", "RJCT", "AM12"), ("not ours", "RJCT", "AC02"), ("later", "RJCT", "DT01"),
        ("cheque", "RJCT", "AG02"),
    ]  # fmt: skip
    assert (first.accepted, first.rejected) == (2, 7)
    report = etree.fromstring(first.report)
    assert [each.text for each in report.findall(".//r:GrpSts", NS)] == ["PART"]
    assert [each.text for each in report.findall(".//r:PmtInfSts", NS)] == ["PART", "RJCT", "RJCT", "RJCT"]
    shown = await ada.account(payer["id"])
    assert [shown["balance"][each]["amount"] for each in ("booked", "held")] == ["80.00", "30.00"]
    again = await run_import(bank, file)
    assert statuses(again) == statuses(first)
    assert (await ada.account(payer["id"]))["balance"] == shown["balance"]
    references = [etree.fromstring(each.report).findtext(".//r:AcctSvcrRef", namespaces=NS) for each in (first, again)]
    assert references[0] == references[1] is not None


@pytest.mark.usefixtures("at_noon")
async def test_an_initiation_that_does_not_add_up_is_rejected_as_a_whole(ada: Client, bank: Bank) -> None:
    payer = await ada.open(deposit="100")
    given = group(payer["number"], payment("one", ABROAD), payment("two", ABROAD))
    for file, reason in ((initiation(given, count=3), "AM18"), (initiation(given, total="20.01"), "AM10")):
        assert {each[1:] for each in statuses(await run_import(bank, file))} == {("RJCT", reason)}
    assert (await ada.account(payer["id"]))["balance"]["held"]["amount"] == "0.00"
    right = await run_import(bank, initiation(group(payer["number"], payment("one", ABROAD)), total="10"))
    assert right.accepted == 1
    two = group(payer["number"], payment("three", ABROAD)).replace("<ReqdExctnDt>", "<NbOfTxs>7</NbOfTxs><ReqdExctnDt>")
    partly = await run_import(bank, initiation(two, group(payer["number"], payment("four", ABROAD), name="P-2"), name="M-2"))
    assert statuses(partly) == [("three", "RJCT", "AM18"), ("four", "ACSP", None)]


@pytest.mark.usefixtures("at_noon")
@pytest.mark.parametrize("amount", ["2<!-- -->5.00", "25<?x y?>.00", "+25", "025.0", "25.000"])
async def test_what_is_paid_is_what_was_checked(ada: Client, bank: Bank, amount: str) -> None:
    payer = await ada.open(deposit="100")
    file = initiation(group(payer["number"], payment("one", ABROAD, amount))).replace(b"<CstmrCdt", b"<!-- made by --><CstmrCdt")
    assert statuses(await run_import(bank, file)) == [("one", "ACSP", None)]
    assert (await ada.account(payer["id"]))["balance"]["held"]["amount"] == "25.00"


@pytest.mark.usefixtures("at_noon")
@pytest.mark.parametrize(
    ("day", "reason"),
    [
        ("<Dt>2029-12-19</Dt>", None),
        ("<Dt>2029-12-18</Dt>", "DT01"),
        ("<DtTm>2030-01-17T23:59:59Z</DtTm>", None),
        ("<DtTm>2030-01-18T00:30:00+01:00</DtTm>", None),
        ("<DtTm>2030-01-18T00:00:00</DtTm>", "DT01"),
    ],
)
async def test_what_day_it_is(ada: Client, bank: Bank, day: str, reason: str | None) -> None:
    payer = await ada.open(deposit="100")
    made = await run_import(bank, initiation(group(payer["number"], payment("one", ABROAD), day=day)))
    assert statuses(made) == [("one", "RJCT" if reason else "ACSP", reason)]


@pytest.mark.usefixtures("at_noon")
async def test_a_file_that_comes_again_is_answered_also_for_a_suspended_debtor(
    ada: Client, bank: Bank, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    payer = await ada.open(deposit="100")
    file = initiation(group(payer["number"], payment("one", ABROAD)))
    await run_import(bank, file)
    await raw.execute("UPDATE users SET status = 'SUSPENDED'")
    assert statuses(await run_import(bank, file)) == [("one", "ACSP", None)]
    other = initiation(group(payer["number"], payment("one", ABROAD)), name="M-2")
    assert statuses(await run_import(bank, other)) == [("one", "RJCT", "AG01")]


@pytest.mark.usefixtures("at_noon")
async def test_the_reference_of_a_payee_is_the_text(ada: Client, bank: Bank) -> None:
    payer = await ada.open(deposit="100")
    structured = payment("one", ABROAD).replace(
        "<Ustrd>Invoice 7</Ustrd>", "<Strd><CdtrRefInf><Ref>RF18539007547034</Ref></CdtrRefInf></Strd>"
    )
    await run_import(bank, initiation(group(payer["number"], structured)))
    [sent] = (await ada.account(payer["id"], "transactions(first: 1) { nodes { description } }"))["transactions"]["nodes"]
    assert sent["description"] == "RF18539007547034"


@pytest.mark.usefixtures("at_noon")
async def test_a_report_says_that_a_payment_came_back(ada: Client, bank: Bank) -> None:
    payer = await ada.open(deposit="100")
    file = initiation(group(payer["number"], payment("one", ABROAD)))
    await run_import(bank, file)
    [sent] = (await ada.account(payer["id"], "transactions(first: 1) { nodes { id } }"))["transactions"]["nodes"]
    await ada.return_transfer(sent["id"], "MD07")
    assert statuses(await run_import(bank, file)) == [("one", "RJCT", "MD07")]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "it is no XML"),
        (b"<a/>", "it is no pain.001.001.09"),
        (initiation(), "it is not valid, in line 1"),
        (
            b'<!DOCTYPE a [<!ENTITY b "c">]>' + initiation(group("DE89370400440532013000", payment("&b;", ABROAD)))[38:],
            "document type",
        ),
        *(
            (initiation(group("DE89370400440532013000", payment("x", ABROAD), day=day)), "no such day")
            for day in ("<Dt>-0001-01-17</Dt>", "<Dt>20200101-01-01</Dt>", "<DtTm>2030-01-17T24:00:00Z</DtTm>")
        ),
    ],
)
async def test_what_is_no_initiation_is_refused(bank: Bank, data: bytes, problem: str) -> None:
    with pytest.raises(InvalidFileError) as raised:
        await run_import(bank, data)
    assert problem in str(raised.value)


async def export(bank: Bank, folder: Path) -> list[tuple[str | None, list[str | None]]]:
    """Export, and return the currency of each file with the creditors in it."""
    files = await service.export_clearing(bank.db, bank.clock, bank.policy.clearing.days, "BANKDEX0", folder)
    found = []
    for path, count in files:
        document = etree.parse(path).getroot()
        PACS008.assertValid(document)
        names = [each.text for each in document.findall(".//p:Cdtr/p:Nm", NS)]
        assert len(names) == count == int(document.findtext(".//p:NbOfTxs", namespaces=NS) or 0)
        total = document.find(".//p:TtlIntrBkSttlmAmt", NS)
        assert total is not None
        found.append((total.get("Ccy"), names))
    return found


@pytest.mark.usefixtures("at_noon")
async def test_each_payment_is_sent_once(ada: Client, bank: Bank, tmp_path: Path) -> None:
    euros, yen = (await ada.open(deposit="100"))["id"], (await ada.open("JPY", deposit="1000"))["id"]
    for name in ("Jane", "João", "山田"):
        await ada.send(euros, "10.5", name=name, description="Invoice <7>")
    await ada.send(yen, "500", currency="JPY", name="Yen")
    returned = (await ada.send(euros, "1", name="Returned"))["transaction"]["id"]
    await ada.return_transfer(returned)
    await run_import(bank, initiation(group((await ada.account(euros))["number"], payment("E2E-1", ABROAD, "1.00", name="File"))))
    first = await asyncio.gather(export(bank, tmp_path), export(bank, tmp_path))
    assert sorted((currency, *names) for each in first for currency, names in each) == [
        ("EUR", "Jane", "João", "山田", "File"), ("JPY", "Yen"),
    ]  # fmt: skip
    assert len(list(tmp_path.iterdir())) == 2
    assert await export(bank, tmp_path) == []
    [path] = tmp_path.glob("pacs008-EUR-*")
    document, content = etree.parse(path), path.read_bytes()
    assert document.findtext(".//p:TtlIntrBkSttlmAmt", namespaces=NS) == "32.50"
    assert document.findtext(".//p:IntrBkSttlmDt", namespaces=NS) == "2030-01-17"
    names = [each.text for each in document.findall(".//p:EndToEndId", NS)]
    assert names[3] == "E2E-1"
    assert names[:3] == [each.text for each in document.findall(".//p:TxId", NS)][:3]
    assert document.findtext(".//p:CdtrAgt//p:BICFI", namespaces=NS) == "BUKBGB22"
    await ada.send(euros, "2", SandboxNumber.LATE.value, name="Next")
    before = set(tmp_path.iterdir())
    assert await export(bank, tmp_path) == [("EUR", ["Next"])]
    [unknown] = set(tmp_path.iterdir()) - before
    assert etree.parse(unknown).findtext(".//p:CdtrAgt//p:Othr/p:Id", namespaces=NS) == "NOTPROVIDED"
    path.unlink()
    message = path.stem.rpartition("-")[2]
    again = await service.export_again(bank.db, "BANKDEX0", tmp_path, UUID(message))
    assert again == (path, 4)
    assert path.read_bytes() == content


async def test_what_could_not_be_written_is_written_by_the_next_export(ada: Client, bank: Bank, tmp_path: Path) -> None:
    payer = (await ada.open(deposit="100"))["id"]
    await ada.send(payer, "1", name="Jane")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="File exists"):
        await export(bank, tmp_path / "file")
    returned = await ada.run("query ($id: ID!) { account(id: $id) { transactions(first: 1) { nodes { id } } } }", id=payer)
    await ada.send(payer, "2", name="João")
    await ada.return_transfer(returned["account"]["transactions"]["nodes"][0]["id"])
    assert await export(bank, tmp_path / "new" / "folder") == [("EUR", ["João"])]
    assert await export(bank, tmp_path) == []


async def test_what_is_settled_later_is_sent_later(ada: Client, bank: Bank, tmp_path: Path) -> None:
    await ada.advance(NOON.replace(hour=16))
    await bank.clock.read()
    payer = (await ada.open(deposit="100"))["id"]
    await ada.send(payer, "1", name="Tomorrow")
    assert await export(bank, tmp_path) == [("EUR", ["Tomorrow"])]
    [path] = tmp_path.iterdir()
    assert etree.parse(path).findtext(".//p:IntrBkSttlmDt", namespaces=NS) == "2030-01-18"


async def test_the_commands(filled_folder: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "in.xml", tmp_path / "out"
    missing = await asyncio.to_thread(command, "import-pain001", str(file), folder=filled_folder)
    assert (missing.returncode, missing.stderr) == (1, f"bank-graphql: {file} cannot be read: No such file or directory.\n")
    file.write_bytes(b"<a/>")
    wrong = await asyncio.to_thread(command, "import-pain001", str(file), folder=filled_folder)
    assert (wrong.returncode, wrong.stderr) == (1, f"bank-graphql: {file} was not imported: it is no pain.001.001.09.\n")
    file.write_bytes(initiation(group("DE89370400440532013000", payment("x", ABROAD))))
    done = await asyncio.to_thread(command, "import-pain001", str(file), folder=filled_folder)
    assert (done.returncode, done.stderr) == (0, "Accepted payments: 0. Rejected: 1.\n")
    PAIN002.assertValid(etree.fromstring(done.stdout.encode()))
    written = await asyncio.to_thread(command, "import-pain001", str(file), "--report", str(out), folder=filled_folder)
    assert written.stdout == ""
    PAIN002.assertValid(etree.parse(out))
    nothing = await asyncio.to_thread(command, "export-clearing", str(tmp_path), folder=filled_folder)
    assert (nothing.returncode, nothing.stdout) == (0, "There is nothing to send.\n")
    unknown = await asyncio.to_thread(command, "export-clearing", str(tmp_path), "--message", "0" * 32, folder=filled_folder)
    assert (unknown.returncode, unknown.stderr) == (1, f"bank-graphql: There is no file {'0' * 8}-0000-0000-0000-{'0' * 12}.\n")
