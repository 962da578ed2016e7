"""A real Prometheus reads the running bank, and evaluates each panel of the dashboards and each rule."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.client import Client
from tests.e2e.processes import Server, command
from tests.infrastructure.test_observability import DASHBOARDS, FOLDER, expressions, rules, without_variables
from tests.ports import free_port

MAY_BE_EMPTY = (
    "standby", "replica", "certificate", "week", "1w", "ALERTS", "DECLINED", "bank_rate_limited_total", "bank_subscriptions_total",
)  # fmt: skip
"""Parts of expressions that have no result here: there is no standby, no https, no last week and no alert; no card payment is
declined, nobody is rate-limited, and no subscription ends."""


@asynccontextmanager
async def prometheus(folder: Path, target: str) -> AsyncIterator[httpx.AsyncClient]:
    """Run Prometheus with the rules of the repository, and connect to it."""
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(FOLDER / each) for each in config["rule_files"]]
    config["scrape_configs"] = [{"job_name": "bank", "static_configs": [{"targets": [target]}]}]
    del config["alerting"]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    port = free_port()
    process = subprocess.Popen(
        ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
         f"--web.listen-address=127.0.0.1:{port}"], stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as http:
            yield http
    finally:
        process.terminate()
        process.wait(20)


async def query(http: httpx.AsyncClient, expression: str) -> list[Any]:
    """The result of an expression of PromQL."""
    answer = (await http.get("/api/v1/query", params={"query": expression})).json()
    assert answer["status"] == "success", (expression, answer)
    result: list[Any] = answer["data"]["result"]
    return result


@pytest.mark.deep
@pytest.mark.skipif(shutil.which("prometheus") is None, reason="Prometheus is not installed")
async def test_each_panel_shows_something_of_the_running_bank(folder: Path, tmp_path: Path) -> None:
    async with Server(folder) as server, prometheus(tmp_path, server.url.removeprefix("http://")) as http:
        assert command("verify", folder=folder).returncode == 0
        assert command("backup", str(tmp_path / "bank.dump"), folder=folder).returncode == 0
        ada = await server.ada()
        account, other = [
            each["id"] for each in (await ada.run("{ me { accounts(first: 2) { nodes { id } } } }"))["me"]["accounts"]["nodes"]
        ]
        samples = 0
        async with asyncio.timeout(60):
            while samples < 8:
                await ada.transfer(account, other, "0.01")
                await ada.transfer(account, other, "1000000")
                await ada.place_hold(account, other, "0.01")
                await Client(server.http).post(
                    'mutation { logIn(input: {email: "x@example.com", password: "wrong wrong"}) { __typename } }'
                )
                try:
                    found = await query(http, 'count_over_time(up{job="bank"}[1h])')
                    samples = int(found[0]["value"][1]) if found else 0
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
        empty = []
        for dashboard in DASHBOARDS:
            for title, expression in expressions(dashboard):
                text = without_variables(expression)
                if not await query(http, text) and not any(part in text for part in MAY_BE_EMPTY):
                    empty.append((dashboard.stem, title, text))
        assert not empty, "\n".join(map(str, empty))
        groups = (await http.get("/api/v1/rules")).json()["data"]["groups"]
        unhealthy = [rule for group in groups for rule in group["rules"] if rule["health"] == "err"]
        assert unhealthy == []
        assert sum(len(group["rules"]) for group in groups) == len(list(rules()))
