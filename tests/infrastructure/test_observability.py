"""Checks of the observability configuration: metrics that exist, alerts with runbooks and tests, expressions that parse."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.sync import ROOT

FOLDER = ROOT / "infrastructure" / "observability"
RULES = FOLDER / "rules"
DASHBOARDS = sorted(FOLDER.glob("dashboards/*.json"))
RUNBOOKS = ROOT / "docs" / "runbooks.md"
CONDITIONAL = {"bank_certificate_expiry_timestamp_seconds", "bank_replica_in_use", "bank_replica_reads_total"}
"""What the bank exposes only where its address is https, or where it has a replica."""
OF_PROMETHEUS = {"ALERTS", "up"}
"""What Prometheus itself makes."""
KEYWORDS = {"and", "bool", "by", "group_left", "group_right", "ignoring", "offset", "on", "or", "unless", "without"}
VARIABLES = {"$__rate_interval": "5m", "$__interval": "1m", "$__range": "1h", "$instance": ".*", "$currency": ".*"}
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")


def exposed_names(text: str) -> set[str]:
    """Return the names of the series that a text in Prometheus's format declares or has."""
    names = set(re.findall(r"^([a-zA-Z_:][\w:]*)[{ ]", text, re.MULTILINE))
    for name, kind in re.findall(r"^# TYPE (\S+) (\w+)$", text, re.MULTILINE):
        names |= {f"{name}_bucket", f"{name}_count", f"{name}_sum"} if kind == "histogram" else {name}
    return names


def names_in(expression: str) -> set[str]:
    """Return the names of the series in an expression of PromQL."""
    text = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expression)
    text = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", text)
    text = re.sub(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", text)
    text = re.sub(r"\boffset\s+\w+", " ", text)
    return set(re.findall(r"(?<![\w:.$])[a-zA-Z_:][\w:]*\b(?!\s*\()", text)) - KEYWORDS


def rules() -> Iterator[dict[str, Any]]:
    """Yield all rules."""
    for path in (RULES / "recording.yml", RULES / "alerts.yml"):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            yield from group["rules"]


def alerts() -> list[dict[str, Any]]:
    """Return the rules that are alerts."""
    return [rule for rule in rules() if "alert" in rule]


def expressions(dashboard: Path) -> Iterator[tuple[str, str]]:
    """Yield the title and the expression of each target of a dashboard."""
    for panel in json.loads(dashboard.read_text(encoding="utf-8"))["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def without_variables(expression: str) -> str:
    """Return an expression with values in place of the dashboard's variables."""
    for name, value in VARIABLES.items():
        expression = expression.replace(name, value)
    return expression


def anchors(markdown: str) -> set[str]:
    """Return the anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", markdown, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def promtool(*arguments: str | Path) -> None:
    """Run promtool, which must succeed."""
    assert PROMTOOL is not None
    run = subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, check=False, timeout=110)
    assert run.returncode == 0, run.stdout + run.stderr


def test_names_are_found() -> None:
    """The two functions that find names find them, and nothing else."""
    assert names_in('sum by (a) (rate(x_total{b=~"c",d!="e f"}[5m] offset 1w)) / on (a) (y:z > bool 4 * 3600) or vector(0)') == {
        "x_total",
        "y:z",
    }
    assert exposed_names('# TYPE a histogram\n# TYPE b_total counter\nc{d="e"} 1\n') >= {"a_bucket", "a_sum", "b_total", "c"}


async def test_every_metric_exists(http: httpx.AsyncClient) -> None:
    """Rules and dashboards name only what the bank exposes, Prometheus makes, or a rule records."""
    known = exposed_names((await http.get("/metrics")).text) | CONDITIONAL | OF_PROMETHEUS
    known |= {rule["record"] for rule in rules() if "record" in rule}
    used = {(rule.get("alert") or rule["record"], name) for rule in rules() for name in names_in(rule["expr"])}
    for dashboard in DASHBOARDS:
        for title, expression in expressions(dashboard):
            used |= {(title, name) for name in names_in(without_variables(expression))}
    assert used
    assert [(where, name) for where, name in sorted(used) if name not in known] == []


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: str(alert["alert"]))
def test_alerts_are_complete(alert: dict[str, Any]) -> None:
    """An alert has a severity, says what happened and what to do, and has a runbook."""
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert set(alert["annotations"]) == {"summary", "description", "runbook"}
    assert all(text.strip() for text in alert["annotations"].values())
    page, _, anchor = alert["annotations"]["runbook"].partition("#")
    assert page == "docs/runbooks.md"
    assert anchor in anchors(RUNBOOKS.read_text(encoding="utf-8"))


def test_every_alert_is_tested_both_ways() -> None:
    """Each alert has a moment at which it is expected, and one at which it is not."""
    fires: set[str] = set()
    is_silent: set[str] = set()
    for path in RULES.glob("tests*.yml"):
        for test in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            for moment in test.get("alert_rule_test", ()):
                (fires if moment.get("exp_alerts") else is_silent).add(moment["alertname"])
    names = {alert["alert"] for alert in alerts()}
    assert fires == names
    assert is_silent == names


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_dashboards_are_complete(path: Path) -> None:
    """A dashboard has an address, asks for the data source, and its panels have titles, descriptions and units."""
    dashboard = json.loads(path.read_text(encoding="utf-8"))
    assert dashboard["uid"] == f"bank-{path.stem}"
    assert "datasource" in {variable["name"] for variable in dashboard["templating"]["list"]}
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    assert len({panel["title"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["title"]
        assert panel["description"]
        assert panel["fieldConfig"]["defaults"]["unit"]
        assert panel["datasource"]["uid"] == "${datasource}"


@needs_promtool
def test_rules_are_valid() -> None:
    """Promtool accepts the rules."""
    promtool("check", "rules", RULES / "recording.yml", RULES / "alerts.yml")


@needs_promtool
@pytest.mark.deep
@pytest.mark.parametrize("path", sorted(RULES.glob("tests*.yml")), ids=lambda path: path.stem)
def test_rules_do_as_tested(path: Path) -> None:
    """Promtool's tests of the rules pass."""
    promtool("test", "rules", path)


@needs_promtool
@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_expressions_of_dashboards_parse(path: Path, tmp_path: Path) -> None:
    """Promtool accepts each expression of a dashboard as a rule."""
    found = [without_variables(expression) for _, expression in expressions(path)]
    assert not [expression for expression in found if "$" in expression]
    recorded = [{"record": f"dashboard:expression:{number}", "expr": expression} for number, expression in enumerate(found)]
    generated = tmp_path / "rules.yml"
    generated.write_text(yaml.safe_dump({"groups": [{"name": path.stem, "rules": recorded}]}), encoding="utf-8")
    promtool("check", "rules", generated)
