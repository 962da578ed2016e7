"""Staff act from the bank's networks only, where it names some."""

from collections.abc import AsyncIterator
from ipaddress import ip_network

import asyncpg
import pytest
from starlette.applications import Starlette

from bank_graphql.app import create_app
from bank_graphql.identity.enums import UserRole
from bank_graphql.identity.networks import StaffNetworks
from bank_graphql.kit.actor import Origin
from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.settings import Settings, load
from tests.client import PASSWORD, Client
from tests.serving import connect, sign_in_staff

INSIDE, OUTSIDE = "10.1.2.3", "192.0.2.1"
LOG_IN = f'mutation {{ logIn(input: {{email: "teller@bank.test", password: "{PASSWORD}"}}) {{ __typename }} }}'
REFRESH = "mutation ($t: String!) { refreshSession(refreshToken: $t) { __typename } }"


@pytest.fixture
async def guarded(settings: Settings) -> AsyncIterator[Starlette]:
    app = create_app(settings.model_copy(update={"staff_networks": "10.0.0.0/8, 2001:db8::/32"}))
    async with app.router.lifespan_context(app):
        yield app


async def test_staff_sign_in_and_act_from_inside_only(guarded: Starlette, raw: asyncpg.Connection) -> None:
    inside, outside = Client(connect(guarded, INSIDE)), Client(connect(guarded, OUTSIDE))
    teller = await sign_in_staff(guarded, inside, UserRole.TELLER)
    assert (await outside.run(LOG_IN))["logIn"]["__typename"] == "CredentialsRejection"
    assert await teller.run("{ me { role } }") == {"me": {"role": "TELLER"}}
    elsewhere = Client(outside.http, teller.token)
    assert (await elsewhere.error("{ me { role } }"))["extensions"]["code"] == "UNAUTHENTICATED"
    for client, kind in ((outside, "CredentialsRejection"), (inside, "AuthSession")):  # the refused one has not spent the token
        assert (await client.run(REFRESH, t=teller.refresh_token))["refreshSession"]["__typename"] == kind
    refused = await raw.fetch("SELECT action FROM audit_events WHERE outcome = 'CredentialsRefused' ORDER BY id")
    assert [row["action"] for row in refused] == ["logIn", "refreshSession"]


async def test_customers_act_from_anywhere_until_they_become_staff(guarded: Starlette) -> None:
    inside, outside = Client(connect(guarded, INSIDE)), Client(connect(guarded, OUTSIDE))
    admin = await sign_in_staff(guarded, inside, UserRole.ADMIN)
    ada = await outside.sign_up("ada@bank.test", "Ada Lovelace")
    assert await ada.run("{ me { role } }") == {"me": {"role": "CUSTOMER"}}
    await admin.run("mutation ($id: ID!) { setUserRole(userId: $id, role: TELLER) { __typename } }", id=ada.user_id)
    assert (await ada.error("{ me { role } }"))["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_document_under_way_ends_where_staff_may_not_be(guarded: Starlette, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, outside = Client(connect(guarded, INSIDE)), Client(connect(guarded, OUTSIDE))
    admin = await sign_in_staff(guarded, inside, UserRole.ADMIN)
    ada = await outside.sign_up("ada@bank.test", "Ada Lovelace")
    identity = guarded.state.graphql._services.identity
    verify = identity.hasher.verify

    async def verify_then_promote(password: str, stored: str | None) -> bool:
        monkeypatch.setattr(identity.hasher, "verify", verify)
        await admin.run("mutation ($id: ID!) { setUserRole(userId: $id, role: ADMIN) { __typename } }", id=ada.user_id)
        return bool(await verify(password, stored))

    monkeypatch.setattr(identity.hasher, "verify", verify_then_promote)
    two = 'mutation { a: enrolTotp(password: "wrong") { __typename } b: issueStatements(month: "2000-01-01") { __typename } }'
    assert {error["extensions"]["code"] for error in (await ada.post(two))["errors"]} == {"UNAUTHENTICATED"}


@pytest.mark.parametrize(
    ("address", "is_inside"),
    [
        (INSIDE, True),
        (OUTSIDE, False),
        ("::ffff:10.0.0.1", True),
        ("::ffff:192.0.2.1", False),
        ("2001:db8:1::1", True),
        ("2001:db9::1", False),
        (None, False),
    ],
)
def test_addresses_of_both_kinds(address: str | None, is_inside: bool) -> None:
    networks = StaffNetworks([ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")])
    assert networks.admit(UserRole.TELLER, Origin(ip_address=address)) is is_inside
    assert networks.admit(UserRole.CUSTOMER, Origin(ip_address=address))
    assert StaffNetworks().admit(UserRole.ADMIN, Origin(ip_address=address))


def test_proxies_are_named_where_addresses_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BANK_STAFF_NETWORKS", "10.0.0.0/8")
    for proxies, is_good in (("127.0.0.1", True), ("", True), ("*", False), ("127.0.0.1, *", False)):
        monkeypatch.setenv("BANK_TRUSTED_PROXIES", proxies)
        if is_good:
            assert load().networks_of_staff
        else:
            with pytest.raises(ConfigurationError, match="BANK_STAFF_NETWORKS needs named BANK_TRUSTED_PROXIES"):
                load()


@pytest.mark.parametrize("given", ["10.0.0.1/8", "office", "10.0.0.0/33", "10.0.0.0/8;10.1.0.0/16"])
def test_wrong_networks_are_named_in_one_line(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("BANK_STAFF_NETWORKS", given)
    with pytest.raises(ConfigurationError, match=r"^BANK_STAFF_NETWORKS: networks are addresses with the length of their prefix"):
        load()
