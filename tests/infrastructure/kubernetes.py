"""Whether the manifests for Kubernetes are what its API takes. `make infrastructure` runs it, with `kubernetes-validate`."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

MANIFESTS = Path(__file__).parents[2] / "infrastructure" / "kubernetes"
VERSIONS = ("1.31", "1.34", "1.37")
FAULTS = {
    "revisionHistoryLimit: 5": "revisionHistoryLimit: five",
    "maxUnavailable: 0": "maxUnavailabel: 0",
    "containerPort: 8000": "port: 8000",
    "kind: Deployment": "kind: Deploymant",
    "      containers:": "      container:",
}
"""Parts of the servers' manifest, and what each is replaced by to see whether it is found."""


def objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of a manifest."""
    yield from filter(None, yaml.safe_load_all(text))


def problems(text: str, version: str) -> list[str]:
    """Return what is wrong with a manifest for a version of Kubernetes."""
    found = []
    for each in objects(text):
        try:
            kubernetes_validate.validate(each, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"{each['kind']} {each['metadata']['name']}: {'.'.join(map(str, error.path))}: {error.message}")
        except kubernetes_validate.SchemaNotFoundError as error:
            found.append(str(error))
    return found


def main() -> None:
    """Check the manifests, and that the check finds what is wrong."""
    texts = {
        each.name: each.read_text(encoding="utf-8") for each in MANIFESTS.glob("*.yaml") if each.name != "kustomization.yaml"
    }
    for right, wrong in FAULTS.items():
        server = texts["server.yaml"]
        assert right in server, right
        if not problems(server.replace(right, wrong, 1), VERSIONS[-1]):
            sys.exit(f"The check does not find {wrong!r}.")
    if (kubectl := shutil.which("kubectl")) is not None:  # all files as kustomize makes one of them
        rendered = subprocess.run([kubectl, "kustomize", MANIFESTS], capture_output=True, text=True, check=False)
        if rendered.returncode:
            sys.exit(rendered.stderr)
        texts["kustomization.yaml"] = rendered.stdout
    found = [
        f"{name}, {version}: {each}" for version in VERSIONS for name, text in texts.items() for each in problems(text, version)
    ]
    if found:
        sys.exit("\n".join(found))
    print(f"The manifests are those of Kubernetes {', '.join(VERSIONS)}.")


if __name__ == "__main__":
    main()
