"""Trusted documents, by the manifests and the requests of the usual clients."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from bank_graphql.app import create_app
from bank_graphql.kit.errors import BadRequest, ConfigurationError
from bank_graphql.settings import Settings, load
from bank_graphql.web.trusted import TrustedDocuments, id_in
from tests.serving import connect

CLOCK, TWO = "query Clock { clock { movable } }", "query A { clock { movable } } query B { me { id } }"
MANIFEST = {"c0ffee": CLOCK, "71df6e1f0ce5": TWO}
MOVABLE = {"data": {"clock": {"movable": True}}}


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """As GraphQL Code Generator's client preset and relay-compiler write it."""
    path = tmp_path / "persisted-documents.json"
    path.write_text(json.dumps(MANIFEST), encoding="utf-8")
    return path


@pytest.fixture(params=[False, True], ids=["all", "trusted only"])
def only(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
async def served(settings: Settings, manifest: Path, only: bool) -> AsyncIterator[Starlette]:
    app = create_app(settings.model_copy(update={"trusted_documents": manifest, "trusted_only": only}))
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def http(served: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    async with connect(served) as client:
        yield client


@pytest.mark.parametrize(
    "sent",
    [
        {"documentId": "c0ffee"},
        {"doc_id": "c0ffee", "variables": {}},
        {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "c0ffee"}}},
        {"documentId": "71df6e1f0ce5", "operationName": "A"},
        {"documentId": "c0ffee", "query": "{ me { id } }"},
        {"query": CLOCK},
    ],
)
async def test_a_document_is_executed_by_its_id(http: httpx.AsyncClient, sent: dict[str, Any]) -> None:
    assert (await http.post("/graphql", json=sent)).json() == MOVABLE
    given = {name: value if isinstance(value, str) else json.dumps(value) for name, value in sent.items()}
    assert (await http.get("/graphql", params=given, headers={"accept": "application/json, text/html"})).json() == MOVABLE


@pytest.mark.parametrize(
    "sent",
    [{"documentId": "unknown"}, {"doc_id": ""}, {"documentId": 7}, {"documentId": None}, {}, {"query": []}, {"query": {"a": 1}}],
)
async def test_an_unknown_id_is_a_bad_request(http: httpx.AsyncClient, sent: dict[str, Any]) -> None:
    answer = await http.post("/graphql", json=sent)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


async def test_other_documents_are_executed_unless_only_trusted_ones_are(http: httpx.AsyncClient, only: bool) -> None:
    for sent in ({"query": "{ clock { movable } }"}, {"query": "{ clock { movable } }", "documentId": "unknown"}):
        answer = await http.post("/graphql", json=sent)
        if only:
            assert answer.status_code == 400
            assert answer.json()["errors"][0]["message"].startswith("Only trusted documents are executed here")
        else:
            assert answer.json() == MOVABLE


async def test_event_streams_have_the_same_documents(http: httpx.AsyncClient, only: bool) -> None:
    headers = {"accept": "text/event-stream"}
    trusted = await http.post("/graphql", json={"documentId": "c0ffee"}, headers=headers)
    assert '"movable":true' in trusted.text
    other = await http.post("/graphql", json={"query": "{ clock { movable } }"}, headers=headers)
    assert ('"movable":true' in other.text) is not only


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read: No such file or directory."),
        ("{", "is not JSON in UTF-8."),
        ("[]", "is no object of ids and documents."),
        ('{"a": {"text": "{ me { id } }"}}', "is no object of ids and documents."),
        ('{"a": "{ me { nam } }"}', "does not fit the schema: Cannot query field 'nam' on type 'User'."),
        ('{"a": "{ me { id }"}', "does not fit the schema: Syntax Error"),
    ],
)
def test_a_wrong_manifest_is_reported_at_the_start(settings: Settings, tmp_path: Path, content: str | None, problem: str) -> None:
    path = tmp_path / "manifest.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError) as error:
        create_app(settings.model_copy(update={"trusted_documents": path}))
    assert str(error.value).startswith("BANK_TRUSTED_DOCUMENTS: ")
    assert problem.split("Did you mean", maxsplit=1)[0] in str(error.value)


def test_trusted_only_needs_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BANK_TRUSTED_ONLY", "true")
    with pytest.raises(ConfigurationError, match="BANK_TRUSTED_ONLY needs BANK_TRUSTED_DOCUMENTS"):
        load()


def test_what_names_a_document() -> None:
    none: list[dict[str, Any]] = [{}, {"documentId": 1}, {"extensions": []}, {"extensions": {"persistedQuery": "x"}}]
    assert [id_in(each) for each in none] == [None] * 4
    with pytest.raises(BadRequest):
        TrustedDocuments(MANIFEST, only=True).resolve({"query": "{ me { id } }"})
