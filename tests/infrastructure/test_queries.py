"""The queries of the log workspace can be parsed, and name what the bank logs; and what checks them finds planted faults."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from bank_graphql.app import create_app
from bank_graphql.settings import Settings
from tests.client import Client
from tests.serving import serving
from tests.sync import ROOT

HERE = Path(__file__).parent / "kql"
QUERIES = {
    each.name: each.read_text(encoding="utf-8") for each in sorted((ROOT / "infrastructure/observability/queries").glob("*.kql"))
}
ALERTS = {
    f"alert {number}": re.sub(r"\$\{[^}]*\}", "x", text)
    for number, text in enumerate(
        re.findall(
            r"<<-KQL\n(.*?)\n *KQL$",
            (ROOT / "infrastructure/monitoring.tf").read_text(encoding="utf-8"),
            re.DOTALL | re.MULTILINE,
        )
    )
}
OF_FAULTS = {"exception", "reason", "level", "request_id"}
"""What other lines have than those that the test below causes."""


FAULTS = {
    "Log_s": "Logs_s",
    "| where": "| whre",
    "percentile(": "percentil(",
    "ContainerAppConsoleLogs_CL": "ConsoleLogs",
    "todouble(": "todouble((",
    "| top 50 by slowest desc": "| top 50 by slow desc",
}


def parse(queries: dict[str, str]) -> dict[str, list[str]]:
    """What is wrong with each query."""
    if not (HERE / "node_modules").exists():
        pytest.skip("npm is not installed, or 'make tools' was not run; .ci/run does")
    node = shutil.which("node") or "node"
    parsed = subprocess.run([node, "parse.cjs"], cwd=HERE, input=json.dumps(queries), capture_output=True, text=True, check=True)
    found: dict[str, list[str]] = json.loads(parsed.stdout)
    return found


def test_all_queries_can_be_parsed_and_planted_faults_are_found() -> None:
    """In one process, for its start takes seconds."""
    workbook = (ROOT / "infrastructure/dashboards.tf").read_text(encoding="utf-8")
    assert [name for name in QUERIES if f"    {name.removesuffix('.kql')} " not in workbook] == []
    assert ALERTS
    query = QUERIES["slow-operations.kql"]
    assert all(right in query for right in FAULTS)
    planted = {wrong: query.replace(right, wrong, 1) for right, wrong in FAULTS.items()}
    found = parse(QUERIES | ALERTS | planted)
    assert {name for name, wrong in found.items() if wrong} == set(planted)


async def test_queries_name_what_the_bank_logs(settings: Settings) -> None:
    async with serving(create_app(settings.model_copy(update={"log_requests": True}))) as http:
        with capture_logs() as logged:
            ada = await Client(http).sign_up("ada@bank.test", "Ada Lovelace")
            await Client(http).post(
                'mutation { logIn(input: {email: "ada@bank.test", password: "wrong tr3asure"}) { __typename } }'
            )
            account, other = (await ada.open())["id"], (await ada.open())["id"]
            assert (await ada.transfer(account, other, "1"))["__typename"] == "InsufficientFundsRejection"
            assert (await ada.batch())["__typename"] == "ValidationRejection"
    refused = next(line for line in logged if line["event"] == "credentials were refused")
    assert {name: refused[name] for name in ("action", "address")} == {"action": "logIn", "address": "127.0.0.1"}
    assert [line["rejections"] for line in logged if line.get("rejections")] == [
        ["CredentialsRejection"], ["InsufficientFundsRejection"], ["ValidationRejection"],
    ]  # fmt: skip
    names = {name for line in logged for name in line} | OF_FAULTS
    used = {name for query in QUERIES.values() for name in re.findall(r"\bline\.(\w+)", query)}
    assert used <= names, used - names
    sources = "".join(each.read_text(encoding="utf-8") for each in (ROOT / "bank_graphql").rglob("*.py"))
    events = {
        text
        for query in QUERIES.values()
        for found in re.findall(r"event\) (?:==|in) (.*)", query)
        for text in re.findall('"(.*?)"', found)
    }
    assert [each for each in events if f'"{each}"' not in sources] == []
    assert "tr3asure" not in str(logged)
