"""Sends documents to a running bank."""

from collections.abc import Mapping
from typing import Any

import httpx2

ATTEMPTS = 3
"""How many times a request is sent whose answer does not arrive. Each has its idempotency key, so none takes effect twice."""
_TIMEOUT = 30.0


class BankError(Exception):
    """The bank did not do what was requested. The message is a sentence for people."""


class BankClient:
    """A client of the API of a running bank.

    Args:
        url: the bank's address.
        http: sends the requests; None for a client of its own.
    """

    def __init__(self, url: str, http: httpx2.AsyncClient | None = None) -> None:
        self._url = url.rstrip("/") + "/graphql"
        self._http = http or httpx2.AsyncClient(timeout=_TIMEOUT)

    async def send(self, token: str, document: str, variables: Mapping[str, object]) -> dict[str, Any]:
        """Return the data of the answer to a document.

        Args:
            token: the access token of the grant.
            document: the document.
            variables: its variables.

        Raises:
            BankError: the bank cannot be reached, or it answers with an error.
        """
        body = {"query": document, "variables": {name: value for name, value in variables.items() if value is not None}}
        headers = {"authorization": f"Bearer {token}", "accept": "application/json", "user-agent": "bank-graphql mcp"}
        for attempt in range(ATTEMPTS):
            try:
                response = await self._http.post(self._url, json=body, headers=headers)
                answer = response.json()
                break
            except (httpx2.HTTPError, ValueError) as error:
                if attempt == ATTEMPTS - 1:
                    raise BankError(
                        "The bank cannot be reached. Whether a transfer was made is known once it is repeated, "
                        "with the same idempotency key."
                    ) from error
        if not isinstance(answer, dict) or answer.get("errors") or not isinstance(answer.get("data"), dict):
            errors = answer.get("errors") if isinstance(answer, dict) else None
            raise BankError(str(errors[0]["message"]) if errors else "This is no bank: check its address.")
        data: dict[str, Any] = answer["data"]
        return data

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()
