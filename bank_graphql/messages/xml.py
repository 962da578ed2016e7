"""Builds XML documents of ISO 20022."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from lxml import etree
from lxml.builder import ElementMaker

from bank_graphql.kit.text import for_xml

_USTRD = 140
"""How many characters an element of unstructured text has, at most."""


def maker(namespace: str) -> Any:
    """Return what makes elements of a namespace: `maker(namespace).Nm("Ada")`."""
    return ElementMaker(namespace=namespace, nsmap={None: namespace})


def document(element: Any) -> bytes:
    """Return an element as a document."""
    written: bytes = etree.tostring(element, xml_declaration=True, encoding="UTF-8", pretty_print=True)
    return written


def time_of(at: datetime) -> str:
    """Return a time in UTC, in whole seconds."""
    return at.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def parts(text: str, size: int = _USTRD) -> Iterator[str]:
    """Yield a text in parts of a size; none of only spaces, which would count as empty."""
    safe = for_xml(text)
    yield from (part for start in range(0, len(safe), size) if (part := safe[start : start + size]).strip())
