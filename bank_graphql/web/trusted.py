"""Trusted documents: those of a manifest, which clients send by their ids. Where only these are executed, nobody sends others.

A manifest is a JSON object of ids and documents, as GraphQL Code Generator (client preset) and Relay write it. A request names a
document by `documentId`, by `doc_id` as Relay's examples do, or by `extensions.persistedQuery.sha256Hash` as Apollo's and urql's
links do.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from bank_graphql.kit.errors import BadRequest, ConfigurationError

SETTING = "BANK_TRUSTED_DOCUMENTS"


class TrustedDocuments:
    """The documents of a manifest.

    Args:
        documents: the documents by their ids.
        only: whether nothing else is executed.
    """

    def __init__(self, documents: Mapping[str, str] | None = None, *, only: bool = False) -> None:
        self._documents = dict(documents or {})
        self._texts = frozenset(self._documents.values()) if only else None

    def resolve(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a request with its document, if it names one by an id; otherwise as it is.

        Raises:
            BadRequest: there is no document with this id; or the request has a document of its own, and only those of the
                manifest are executed.
        """
        key = id_in(given)
        if key is not None and (key in self._documents or not isinstance(given.get("query"), str)):
            if key not in self._documents:
                raise BadRequest("There is no trusted document with this id.")
            return {**given, "query": self._documents[key]}
        query = given.get("query")
        if self._texts is not None and not (isinstance(query, str) and query in self._texts):
            raise BadRequest("Only trusted documents are executed here: send the id of one as 'documentId'.")
        return given


def read_manifest(path: Path, mistakes_in: Callable[[str], list[str]]) -> dict[str, str]:
    """Return the documents of a manifest by their ids.

    Args:
        path: the file.
        mistakes_in: returns what is wrong with a document.

    Raises:
        ConfigurationError: the file cannot be read, it is no manifest, or a document does not fit the schema.
    """
    try:
        documents = orjson.loads(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{SETTING}: {path} cannot be read: {error.strerror}.") from error
    except orjson.JSONDecodeError as error:
        raise ConfigurationError(f"{SETTING}: {path} is not JSON in UTF-8.") from error
    if not isinstance(documents, dict) or not all(isinstance(text, str) for text in documents.values()):
        raise ConfigurationError(f"{SETTING}: {path} is no object of ids and documents.")
    for key, text in documents.items():
        if mistakes := mistakes_in(text):
            raise ConfigurationError(f"{SETTING}: the document {key} in {path} does not fit the schema: {mistakes[0]}")
    return documents


def id_in(given: Mapping[str, Any]) -> str | None:
    """Return the id by which a request names its document; None if it names none."""
    extensions = given.get("extensions")
    persisted = extensions.get("persistedQuery") if isinstance(extensions, dict) else None
    found = given.get("documentId") or given.get("doc_id")
    if found is None and isinstance(persisted, dict):
        found = persisted.get("sha256Hash")
    return found if isinstance(found, str) else None
