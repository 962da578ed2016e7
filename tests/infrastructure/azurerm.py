"""The schema of Terraform's provider azurerm, as far as the bank uses it.

The provider itself is not on any package registry. `cdktn-provider-azurerm` on PyPI, which is generated from its schema, is:
`make azure-schema` writes what is needed of it to `azurerm-schema.json`.
"""

import json
import re
import sys
import tarfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TERRAFORM = ROOT / "infrastructure"
EXTRACT = Path(__file__).parent / "azurerm-schema.json"
_KINDS = {"string": "string", "number": "number", "boolean": "bool", "any": "any"}


def package() -> dict[str, Any]:
    """Return the description of all types in the package.

    Raises:
        SystemExit: it is not installed.
    """
    spec = find_spec("cdktn_provider_azurerm")
    if spec is None or spec.origin is None:
        sys.exit("cdktn-provider-azurerm is not installed: run make azure-schema.")
    [path] = (Path(spec.origin).parent / "_jsii").glob("*.tgz")
    with tarfile.open(path) as archive:
        member = archive.extractfile("package/.jsii")
        assert member is not None
        described: dict[str, Any] = json.load(member)
    return described


class Description:
    """The types of the package, as Terraform names them.

    Args:
        described: what `package` returns.
    """

    def __init__(self, described: dict[str, Any]) -> None:
        self._types: dict[str, Any] = described["types"]
        self.version = re.findall(r"azurerm/([0-9.]+)/docs", json.dumps(next(iter(self._configs().values()))))[0]

    def _configs(self) -> dict[str, Any]:
        return {name: each for name, each in self._types.items() if name.endswith("Config") and each["kind"] == "interface"}

    def resources(self) -> dict[str, str]:
        """Return the name of the class of each resource."""
        found = {}
        for name, config in self._configs().items():
            slugs = {slug for each in config.get("properties", []) for slug in re.findall(r"/resources/(\w+)#", _docs(each))}
            if len(slugs) == 1 and name.removesuffix("Config") in self._types:
                found[f"azurerm_{slugs.pop()}"] = name.removesuffix("Config")
        return found

    def resource(self, class_name: str) -> dict[str, Any]:
        """Return the arguments and blocks of a resource, and the attributes that it has besides."""
        block = self._block(f"{class_name}Config")
        names = (each["name"] for each in self._types[class_name]["properties"] if not each.get("static"))
        attributes = {_snake(name) for name in names if not name.endswith("Input")}
        return {**block, "attributes": sorted(attributes)}

    def _block(self, name: str) -> dict[str, Any]:
        arguments, blocks = {}, {}
        for each in self._types[name].get("properties", []):
            [*_, argument] = re.findall(r"\w#(\w+)", _docs(each)) or [None]
            if argument is None:
                continue
            required = not each.get("optional", False)
            nested = self._nested(each["type"])
            if nested is None:
                arguments[argument] = {"type": _type(each["type"]), "required": required}
            else:
                blocks[argument] = {**self._block(nested[0]), "required": required, "many": nested[1]}
        return {"arguments": arguments, "blocks": blocks}

    def _nested(self, type_: dict[str, Any]) -> tuple[str, bool] | None:
        """Return the type of a nested block, and whether there may be several; None for a plain argument."""
        if type_.get("fqn") in self._types and self._types[type_["fqn"]]["kind"] == "interface":
            return type_["fqn"], False
        if "collection" in type_:
            nested = self._nested(type_["collection"]["elementtype"])
            return (nested[0], True) if nested else None
        found = [nested for each in type_.get("union", {}).get("types", []) if (nested := self._nested(each))]
        return found[0] if found else None


def _docs(each: dict[str, Any]) -> str:
    docs = each.get("docs", {})
    return f"{docs.get('summary', '')} {docs.get('remarks', '')}"


def _type(type_: dict[str, Any]) -> str:
    if "primitive" in type_:
        return _KINDS[type_["primitive"]]
    if "collection" in type_:
        return "list" if type_["collection"]["kind"] == "array" else "map"
    for each in type_.get("union", {}).get("types", []):
        if "fqn" not in each:
            return _type(each)
    return "any"


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def used() -> set[str]:
    """Return the types of resources that the bank's configuration uses."""
    return {
        found for path in TERRAFORM.glob("*.tf") for found in re.findall(r'^resource "(\w+)"', path.read_text(), re.MULTILINE)
    }


def main() -> None:
    """Write the extract anew."""
    description = Description(package())
    classes = description.resources()
    missing = used() - set(classes)
    if missing:
        sys.exit(f"The provider has no {', '.join(sorted(missing))}.")
    extract = {
        "version": description.version,
        "resources": {name: description.resource(classes[name]) for name in sorted(used())},
    }
    EXTRACT.write_text(json.dumps(extract, indent=1, sort_keys=True) + "\n")
    print(f"{EXTRACT.name}: {len(extract['resources'])} resources of azurerm {description.version}.")


if __name__ == "__main__":
    main()
