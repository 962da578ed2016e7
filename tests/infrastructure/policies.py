"""Whether the infrastructure follows checkov's policies, but for those that `.checkov.yaml` names. `make infrastructure` runs it."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "infrastructure"
FAULTS = {
    "storage.tf": ("shared_access_key_enabled         = false", "shared_access_key_enabled         = true"),
    "keyvault.tf": ("purge_protection_enabled", "soft_delete_retention_days = 7 #"),
    "kubernetes/server.yaml": ("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false"),
}
"""For files, what is replaced to see whether the check finds it."""


def check(folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run checkov on a folder."""
    checkov = Path(sys.executable).parent / "checkov"
    command = [str(checkov), "--config-file", str(folder / ".checkov.yaml"), "--directory", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def main() -> None:
    """Check the files, and that the check finds what is wrong."""
    found = check(FOLDER)
    if found.returncode:
        sys.exit(found.stdout + found.stderr)
    with tempfile.TemporaryDirectory() as place:
        planted = shutil.copytree(FOLDER, Path(place) / "infrastructure")
        for name, (right, wrong) in FAULTS.items():
            file = planted / name
            text = file.read_text(encoding="utf-8")
            assert right in text, (name, right)
            file.write_text(text.replace(right, wrong, 1), encoding="utf-8")
        output = check(planted).stdout
    missed = [name for name in FAULTS if f"/{name}" not in output]
    if missed:
        sys.exit(f"The check does not find what was planted in {', '.join(missed)}.")
    print("The infrastructure follows checkov's policies.")


if __name__ == "__main__":
    main()
