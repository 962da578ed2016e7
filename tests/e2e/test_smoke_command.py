"""The smoke test, which tells whether a release may have traffic."""

import re
from pathlib import Path

import pytest

from tests.e2e.processes import Server, command
from tests.ports import free_port

STEPS = ["ready", "version", "sign up", "open accounts", "pay in", "transfer, twice with one key", "balances", "pay out", "close"]


def steps(output: str) -> list[str]:
    """Return the steps that went well."""
    return re.findall(r"^ok    (.*?): .*\d ms$", output, re.MULTILINE)


async def test_a_sandbox_passes_and_keeps_no_money_of_it(folder: Path) -> None:
    async with Server(folder) as server:
        tried = command("smoke", f"{server.url}/", folder=folder)
        assert (tried.returncode, tried.stderr) == (0, ""), tried.stdout
        assert steps(tried.stdout) == STEPS
        assert "version: 0.1.0" in tried.stdout
    left = "SELECT sum(booked), count(*) FROM balances b JOIN accounts a ON a.id = b.account_id JOIN users u ON u.id = owner_id WHERE u.status = 'CLOSED'"
    assert command("psql", "--", "-Atc", left, folder=folder).stdout == "0|2\n"
    assert command("verify", folder=folder).returncode == 0


@pytest.mark.deep
async def test_several_processes_pass(folder: Path) -> None:
    """Those that did not close the customer notice a little later."""
    async with Server(folder, "--workers", "2") as server:
        for _ in range(12):
            tried = command("smoke", server.url, folder=folder)
            assert tried.returncode == 0, tried.stdout


async def test_a_bank_without_money_for_customers_passes_too(folder: Path) -> None:
    async with Server(folder, "--no-demo", BANK_SANDBOX="false") as server:
        tried = command("smoke", server.url, folder=folder)
        assert tried.returncode == 0, tried.stdout
        assert steps(tried.stdout) == [step for step in STEPS if step != "pay out"]
        assert "not in a sandbox" in tried.stdout


async def test_what_is_wrong_is_one_line(folder: Path) -> None:
    """A bank that executes other documents alone stands for one whose schema is another."""
    trusted = folder / "trusted.json"
    trusted.write_text('{"a": "{ me { id } }"}')
    bank = folder / "bank"
    bank.mkdir()
    async with Server(bank, BANK_TRUSTED_DOCUMENTS=str(trusted), BANK_TRUSTED_ONLY="true") as server:
        tried = command("smoke", server.url, folder=folder)
    assert tried.returncode == 1
    assert steps(tried.stdout) == ["ready", "version"]
    assert re.fullmatch(r"FAIL  sign up: .+", tried.stdout.splitlines()[-1])


def test_a_bank_that_is_not_there_is_one_line(folder: Path) -> None:
    tried = command("smoke", f"http://127.0.0.1:{free_port()}", folder=folder)
    assert (tried.returncode, tried.stdout, tried.stderr) == (1, "FAIL  ready: [Errno 111] Connection refused\n", "")
    tried = command("smoke", "bank.example", folder=folder)
    assert (tried.returncode, tried.stderr) == (1, "bank-graphql: Give the bank's address, as in https://bank.example.\n")
