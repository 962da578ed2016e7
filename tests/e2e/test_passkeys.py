"""Passkeys in a real browser, whose authenticator is Chromium's virtual one."""

import re
from pathlib import Path
from typing import Any

from tests.client import PASSWORD
from tests.docs.pages import DOCS
from tests.e2e.browser import browser, needs_browser, window
from tests.e2e.processes import Server
from tests.ports import free_port

pytestmark = needs_browser

ASK = """async ([query, variables, token]) => {
    const headers = {"content-type": "application/json", ...(token && {authorization: `Bearer ${token}`})};
    const answer = await fetch("graphql", {method: "POST", headers, body: JSON.stringify({query, variables})});
    const {data, errors} = await answer.json();
    if (errors) throw new Error(JSON.stringify(errors));
    return data.x;
}"""
[SHOWN] = re.findall(
    r"```js title=\"passkeys.js\"\n(.*?)```", (DOCS / "how-to" / "signing-in.md").read_text(encoding="utf-8"), re.DOTALL
)
"""What the documentation shows to those who write pages."""
MAKE, USE = (f"async (options) => {{ {SHOWN} return {name}(options); }}" for name in ("makePasskey", "usePasskey"))
CHALLENGE = "... on PasskeyChallenge { options challengeToken }"
SIGN_UP = "mutation ($input: SignUpInput!) { x: signUp(input: $input) { ... on AuthSession { accessToken } } }"
ADD = """mutation ($input: PasskeyAnswerInput!) { x: addPasskey(name: "Laptop", input: $input) {
    __typename ... on Passkey { name isSynced } ... on Rejection { message } } }"""
LOG_IN = """mutation ($input: PasskeyAnswerInput!) { x: logInWithPasskey(input: $input) {
    __typename ... on AuthSession { accessToken user { email passkeys { id name lastUsedAt } } } } }"""
AUTHENTICATOR = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
    "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip


async def test_a_browser_signs_in_with_a_passkey_until_it_is_removed(folder: Path) -> None:
    port = free_port()
    server = Server(folder, "--port", str(port), BANK_PUBLIC_URL=f"http://127.0.0.1:{port}")
    async with server, browser() as chromium:
        async with window(chromium, server.url.replace("127.0.0.1", "localhost")) as seen:
            await seen.open("/")
            devices = await seen.page.context.new_cdp_session(seen.page)
            await devices.send("WebAuthn.enable")
            await devices.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})

            async def ask(query: str, token: str | None = None, **variables: Any) -> Any:
                return await seen.page.evaluate(ASK, [query, variables, token])

            async def answer(query: str, script: str, token: str | None = None) -> dict[str, Any]:
                asked = await ask(query, token)
                credential = await seen.page.evaluate(script, asked["options"])
                return {"challengeToken": asked["challengeToken"], "credential": credential}

            given = {"email": "ada@bank.test", "password": PASSWORD, "fullName": "Ada Lovelace"}
            token = (await ask(SIGN_UP, input=given))["accessToken"]
            made = await answer(f"mutation {{ x: requestPasskey {{ {CHALLENGE} }} }}", MAKE, token)
            assert await ask(ADD, token, input=made) == {"__typename": "Passkey", "name": "Laptop", "isSynced": False}
            log_in = f"mutation {{ x: requestPasskeyLogIn {{ {CHALLENGE} }} }}"
            for _ in range(2):
                session = await ask(LOG_IN, input=await answer(log_in, USE))
                assert session["user"]["email"] == "ada@bank.test"
            [passkey] = session["user"]["passkeys"]
            assert passkey["lastUsedAt"] is not None
            removed = await ask("mutation ($id: ID!) { x: removePasskey(id: $id) { __typename } }", token, id=passkey["id"])
            assert removed == {"__typename": "Done"}
            assert await ask(LOG_IN, input=await answer(log_in, USE)) == {"__typename": "CredentialsRejection"}
        assert seen.problems == []
