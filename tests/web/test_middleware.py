"""What every request gets around its answer."""

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from bank_graphql.web.draining import Draining
from bank_graphql.web.middleware import RequestMiddleware
from bank_graphql.web.request_log import RequestLog

SILENT = RequestLog(all_requests=False, slow_seconds=60)


async def fail(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("the secret cause")


async def fail_midway(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise RuntimeError("the secret cause")


async def test_an_unexpected_error_is_an_answer_with_the_request_id_and_without_its_cause() -> None:
    transport = httpx.ASGITransport(RequestMiddleware(fail, https=False, log=SILENT, count=lambda _: None, draining=Draining(0)))
    async with httpx.AsyncClient(transport=transport, base_url="http://bank.test") as http:
        answer = await http.get("/graphql", headers={"x-request-id": "the-id-of-a-client"})
    assert answer.status_code == 500
    (error,) = answer.json()["errors"]
    assert error["extensions"] == {"code": "INTERNAL", "requestId": "the-id-of-a-client"}
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"] == "the-id-of-a-client"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_an_error_in_the_middle_of_an_answer_breaks_it_off() -> None:
    transport = httpx.ASGITransport(
        RequestMiddleware(fail_midway, https=False, log=SILENT, count=lambda _: None, draining=Draining(0))
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://bank.test") as http:
        with pytest.raises(RuntimeError):
            await http.get("/graphql")
