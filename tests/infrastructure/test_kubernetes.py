"""The manifests for Kubernetes fit each other, the image and the bank's settings."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bank_graphql.settings import Settings
from tests.sync import ROOT

FOLDER = ROOT / "infrastructure" / "kubernetes"
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))
OBJECTS: list[dict[str, Any]] = [
    each for name in KUSTOMIZATION["resources"] for each in yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8"))
]
SECRETS = {"bank", "bank-owner"}


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """The specifications of all pods, by the objects that make them."""
    for each in OBJECTS:
        spec = each.get("spec", {})
        template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
        if template:
            yield f"{each['kind']} {each['metadata']['name']}", template["spec"]


def settings() -> dict[str, str]:
    """The settings of all pods."""
    [generated] = KUSTOMIZATION["configMapGenerator"]
    return dict(each.split("=", 1) for each in generated["literals"])


def test_each_file_is_used() -> None:
    assert {each.name for each in FOLDER.glob("*.yaml")} == {*KUSTOMIZATION["resources"], "kustomization.yaml"}
    assert {each["metadata"].get("namespace", "bank") for each in OBJECTS} == {KUSTOMIZATION["namespace"]}


def test_settings_are_those_of_the_bank(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    known = {f"BANK_{name.upper()}" for name in Settings.model_fields}
    assert set(settings()) <= known
    for name, value in settings().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("BANK_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", "postgresql://bank@db/bank")
    for name in ("BANK_SIGNING_KEYS", "BANK_CARD_KEYS"):
        monkeypatch.setenv(name, "{}")
    loaded = Settings(_env_file=None)  # type: ignore[call-arg]
    assert loaded.metrics_port == 9000


@pytest.mark.parametrize(("name", "pod"), list(pods()))
def test_pods_are_confined_and_limited(name: str, pod: dict[str, Any]) -> None:
    user = int(re.search(r"^USER (\d+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)[1])  # type: ignore[index]
    assert pod["securityContext"]["runAsUser"] == user
    assert (pod["securityContext"]["runAsNonRoot"], pod["automountServiceAccountToken"]) == (True, False)
    [container] = pod["containers"]
    assert container["image"] == KUSTOMIZATION["images"][0]["name"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert set(container["resources"]) == {"requests", "limits"}
    used = {each[kind]["name"] for each in container["envFrom"] for kind in each}
    assert used <= SECRETS
    assert ("bank-owner" in used) == (container["args"] == ["migrate"]), "the owner's rights are for it alone"
    assert {each["name"] for each in container["volumeMounts"]} == {each["name"] for each in pod["volumes"]}


def test_objects_refer_to_each_other() -> None:
    named = {(each["kind"], each["metadata"]["name"]) for each in OBJECTS}
    server = next(each for each in OBJECTS if each["kind"] == "Deployment")["spec"]
    labels = server["template"]["metadata"]["labels"]
    for each in OBJECTS:
        spec = each.get("spec", {})
        if each["kind"] == "Service":
            assert spec["selector"] == labels
            ports = {port["name"] for port in server["template"]["spec"]["containers"][0]["ports"]}
            assert {port["targetPort"] for port in spec["ports"]} <= ports
        if each["kind"] == "PodDisruptionBudget":
            assert spec["selector"]["matchLabels"] == labels
        if each["kind"] == "HorizontalPodAutoscaler":
            assert (spec["scaleTargetRef"]["kind"], spec["scaleTargetRef"]["name"]) in named
    drain = int(settings()["BANK_DRAIN_SECONDS"])
    assert server["template"]["spec"]["terminationGracePeriodSeconds"] > drain + 30
