"""Terraform's files fit the provider's schema and themselves; and what checks them finds planted faults."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bank_graphql.settings import Settings
from tests.infrastructure.azurerm import EXTRACT, TERRAFORM, used
from tests.infrastructure.terraform import Configuration, parse, problems, read

SCHEMA: dict[str, Any] = json.loads(EXTRACT.read_text(encoding="utf-8"))
GOOD = """
variable "name" {
  description = "A name."
  type        = string
}
resource "azurerm_resource_group" "bank" {
  name     = var.name
  location = "westeurope"
}
resource "azurerm_monitor_diagnostic_setting" "bank" {
  name               = "n-${azurerm_resource_group.bank.name}"
  target_resource_id = azurerm_resource_group.bank.id
  dynamic "enabled_log" {
    for_each = ["a"]
    content {
      category = enabled_log.value
    }
  }
}
"""
FAULTS = {
    ('location = "westeurope"', 'region = "westeurope"'): {
        "azurerm_resource_group.bank.region: there is no such argument", "azurerm_resource_group.bank.location: it is missing",
    },
    ('location = "westeurope"', "location = 5"): {"azurerm_resource_group.bank.location: it is a string"},
    ('location = "westeurope"', 'location = "w"\n  tags = ["a"]'): {"azurerm_resource_group.bank.tags: it is a map"},
    ('"azurerm_resource_group" "bank"', '"azurerm_resource_groups" "bank"'): {
        "azurerm_resource_groups.bank: there is no such resource", "azurerm_resource_group.bank: it is not declared",
    },
    ("azurerm_resource_group.bank.id", "azurerm_resource_group.bank.uid"): {
        "azurerm_resource_group.bank.uid: there is no such attribute"
    },
    ("azurerm_resource_group.bank.id", "azurerm_resource_group.bench.id"): {"azurerm_resource_group.bench: it is not declared"},
    ("= var.name", '= "${var.nme}"'): {"var.nme: it is not declared", "var.name: it is not used"},
    ("= var.name", '= "var.name"'): {"var.name: it is not used"},
    ("= var.name", "= local.name"): {"local.name: it is not declared", "var.name: it is not used"},
    ("= var.name", "= data.azurerm_x.y.id"): {"data.azurerm_x.y: it is not declared", "var.name: it is not used"},
    ('description = "A name."', ""): {"name: it has no description"},
    ('"enabled_log"', '"enabled_logs"'): {"azurerm_monitor_diagnostic_setting.bank.enabled_logs: there is no such block"},
    ("category =", "categories ="): {
        "azurerm_monitor_diagnostic_setting.bank.enabled_log.categories: there is no such argument"
    },
    ("  target_resource_id = azurerm_resource_group.bank.id\n", '  target_resource_id = "x"\n  enabled_metric = "a"\n'): {
        "azurerm_monitor_diagnostic_setting.bank.enabled_metric: it is a block, not an argument",
    },
}  # fmt: skip
"""What is planted in place of something, and what must be found."""


def found_in(text: str) -> set[str]:
    """Return what is wrong with a file."""
    configuration = Configuration()
    configuration.add(parse(text))
    return set(problems(configuration, SCHEMA))


def test_the_files_fit_the_schema_and_themselves() -> None:
    configuration = read(TERRAFORM)
    assert len(configuration.resources) > 40
    assert list(problems(configuration, SCHEMA)) == []


def test_the_extract_of_the_schema_has_what_is_used_and_no_more() -> None:
    assert SCHEMA["version"].startswith("5.")
    assert set(SCHEMA["resources"]) == used(), "run: make azure-schema"


def test_what_is_right_is_no_problem() -> None:
    assert found_in(GOOD) == set()


@pytest.mark.parametrize("planted", FAULTS)
def test_a_planted_fault_is_found(planted: tuple[str, str]) -> None:
    assert GOOD.count(planted[0]) == 1
    assert found_in(GOOD.replace(*planted)) == FAULTS[planted]


def test_every_setting_that_servers_are_given_exists() -> None:
    text = "".join(path.read_text() for path in [*TERRAFORM.glob("*.tf"), *(TERRAFORM / "environments").glob("*.tfvars")])
    known = {f"BANK_{name.upper()}" for name in Settings.model_fields}
    given = set(re.findall(r"^ +(BANK_\w+) +=", text, re.MULTILINE))
    assert len(given) > 10
    assert given <= known


def test_no_environment_leaves_a_variable_without_a_value() -> None:
    """What has no default, and is no secret and no part of a release, is in the file of each environment."""
    declared = read(TERRAFORM).variables
    needed = {name for name, body in declared.items() if "default" not in body}
    by_release = {"subscription_id", "registry", "image", "revision", "traffic", "administrator_password", "alert_addresses"}
    for path in (TERRAFORM / "environments").glob("*.tfvars"):
        given = set(parse(path.read_text()))
        assert needed - by_release <= given, path.name
        assert given - {"__comments__"} <= set(declared), path.name


def test_traffic_is_never_given_to_the_latest_revision() -> None:
    app = read(TERRAFORM).resources["azurerm_container_app", "bank"]
    assert "latest_revision" not in str(app["ingress"])
    assert "revision_suffix" in str(app["ingress"])


def test_no_secret_is_in_a_file_or_gets_into_the_state(tmp_path: Path) -> None:
    """Secrets are in the key vault, which Terraform gives names of and does not read."""
    configuration = read(TERRAFORM)
    kinds = {kind for kind, _ in configuration.resources}
    assert not kinds & {"azurerm_key_vault_secret", "random_password"}
    assert not any("key_vault_secret" in name for name in configuration.data)
    server = configuration.resources["azurerm_postgresql_flexible_server", "bank"]
    assert "administrator_password" not in server
    assert configuration.variables["administrator_password"]["ephemeral"] is True
