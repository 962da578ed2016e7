"""What `/metrics` shows, and to whom."""

import re

import asyncpg
import httpx
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr
from starlette.applications import Starlette

from bank_graphql.app import create_app
from bank_graphql.bank import CHECKS
from bank_graphql.environment import Environment
from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.db import Database
from bank_graphql.ledger import verification
from bank_graphql.settings import Settings
from tests.client import Client, transfer_of
from tests.serving import connect, serving

TOKEN = "a token for Prometheus"


async def exposed(http: httpx.AsyncClient) -> dict[str, float]:
    """The value of each sample, by its name and labels."""
    answer = await http.get("/metrics")
    assert answer.status_code == 200, answer.text
    return {
        sample.name + "".join(f" {name}={value}" for name, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_business_and_requests_are_counted(http: httpx.AsyncClient, ada: Client, grace: Client, visitor: Client) -> None:
    account = await ada.open(deposit="100.00")
    other = await grace.open()
    assert (await ada.transfer(account["id"], other["id"], "12.34"))["__typename"] == "MoneyMoved"
    assert (await ada.transfer(account["id"], other["id"], "1000"))["__typename"] == "InsufficientFundsRejection"
    await ada.batch(transfer_of(account["id"], other["id"], "1.00"), transfer_of(account["id"], other["id"], "2000.00"))
    await ada.place_hold(account["id"], other["id"], "5.00")
    await visitor.post('mutation { logIn(input: {email: "ada@bank.test", password: "wrong wrong"}) { __typename } }')
    await visitor.post("{ me { nonsense } }")
    await visitor.post("{ {")
    metrics = await exposed(http)
    assert metrics["bank_transactions_total currency=EUR event=POSTED kind=TRANSFER"] == 2
    assert metrics["bank_transaction_minor_units_total currency=EUR event=POSTED kind=TRANSFER"] == 1334
    assert metrics["bank_transactions_total currency=EUR event=POSTED kind=DEPOSIT"] == 1
    assert metrics["bank_rejections_total type=InsufficientFundsRejection"] == 2
    assert metrics["bank_rejections_total type=CredentialsRejection"] == 1
    assert metrics["bank_sign_ins_total action=signUp outcome=done"] == 2
    assert metrics["bank_sign_ins_total action=logIn outcome=refused"] == 1
    assert metrics["bank_holds_open currency=EUR"] == 1
    assert metrics["bank_held_minor_units currency=EUR"] == 500
    assert metrics["bank_trial_balance_minor_units currency=EUR purpose=CUSTOMERS"] == 10000
    assert metrics["bank_trial_balance_minor_units currency=EUR purpose=CASH"] == -10000
    assert metrics["bank_operation_duration_seconds_count kind=mutation outcome=OK"] == 9
    assert metrics["bank_operation_duration_seconds_count kind=query outcome=GRAPHQL_VALIDATION_FAILED"] == 1
    assert metrics["bank_operation_duration_seconds_count kind=unknown outcome=GRAPHQL_PARSE_FAILED"] == 1
    assert metrics["bank_batch_size_count"] == metrics["bank_batch_wait_seconds_count"] == 6
    assert metrics["bank_batch_size_sum"] == 7
    assert metrics["bank_database_up"] == 1
    assert metrics["bank_table_size_bytes table=entries"] > 0
    assert metrics["bank_pool_connections state=idle"] >= 1
    assert metrics["bank_processes"] == 1
    assert metrics["bank_job_interval_seconds task=expire holds"] == 0.1
    assert metrics["bank_documents_total found=parsed"] > 0


async def test_the_feeds_lag_is_the_age_of_what_an_open_transaction_holds_back(
    http: httpx.AsyncClient, ada: Client, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await raw.execute("BEGIN; SELECT pg_current_xact_id()")
    await ada.open(deposit="1.00")
    await raw.execute("SELECT pg_sleep(0.01)")
    metrics = await exposed(http)
    assert metrics["bank_feed_lag_seconds"] > 0.01
    assert metrics["bank_database_oldest_transaction_seconds"] > 0.01
    await raw.execute("ROLLBACK")


async def test_no_label_comes_from_a_client(http: httpx.AsyncClient, ada: Client) -> None:
    secret = "Tr3asure"
    await ada.post(f"query {secret} {{ me {{ id }} }}")
    await ada.post(f"{{ {secret} }}")
    await http.get(f"/{secret}")
    await http.request(secret.upper(), "/graphql")
    await ada.open(name=secret)
    answer = await http.get("/metrics")
    assert secret.lower() not in answer.text.lower()
    assert ada.user_id not in answer.text
    assert "bank.test" not in answer.text


async def test_every_metric_has_a_unit_or_a_plain_name_and_a_description(http: httpx.AsyncClient) -> None:
    families = list(text_string_to_metric_families((await http.get("/metrics")).text))
    assert len(families) > 30
    for family in families:
        assert re.fullmatch(r"bank_[a-z_]+", family.name), family.name
        assert family.documentation.endswith("."), family.name


async def test_with_a_token_only_who_has_it_sees_the_metrics(settings: Settings) -> None:
    async with serving(create_app(settings.model_copy(update={"metrics_token": SecretStr(TOKEN)}))) as http:
        for given in (None, "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN} "):
            refused = await http.get("/metrics", headers={"authorization": given} if given else {})
            assert refused.status_code == 401, given
            assert refused.headers["www-authenticate"] == "Bearer"
            assert "bank_" not in refused.text
        assert (await http.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})).status_code == 200


async def test_production_serves_no_metrics_without_a_token(settings: Settings) -> None:
    async with serving(create_app(settings)) as http:
        assert (await http.get("/metrics")).status_code == 200
    keys = {
        "signing_keys": SecretStr(str(settings.data_dir / "keys" / "signing-keys.json")),
        "card_keys": SecretStr(str(settings.data_dir / "keys" / "card-master-keys.json")),
    }
    async with serving(create_app(settings.model_copy(update={"env": Environment.PRODUCTION, **keys}))) as http:
        assert (await http.get("/metrics")).status_code == 404


async def test_with_a_port_of_their_own_metrics_are_served_there_and_nothing_else_is(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"metrics_port": 9}))
    async with app.router.lifespan_context(app), connect(app) as public, at_port(app, 9) as private:
        assert (await public.get("/metrics")).status_code == 404
        assert (await private.get("/metrics")).status_code == 200
        for path in ("/graphql", "/health", "/"):
            assert (await private.get(path)).status_code == 404, path
            assert (await public.get(path)).status_code < 500, path


def at_port(app: Starlette, port: int) -> httpx.AsyncClient:
    """A client of another port of the application."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://bank:{port}")


async def test_the_health_summary_names_versions_keys_clock_and_disk(http: httpx.AsyncClient, settings: Settings) -> None:
    answer = (await http.get("/health")).json()
    assert answer["status"] == "ok"
    assert re.fullmatch(r"\d{4}", answer["database"]["schema"])
    assert abs(answer["database"]["clockOffsetSeconds"]) < 2
    assert answer["keys"] == [each["kid"] for each in (await http.get("/.well-known/jwks.json")).json()["keys"]]
    assert 0 < answer["disk"]["freeRatio"] <= 1
    assert set(answer) == {"status", "version", "keys", "database", "disk"}


async def test_the_latest_verification_is_exposed(settings: Settings, db: Database) -> None:
    async with serving(create_app(settings)) as http:
        assert "bank_verification_timestamp_seconds" not in await exposed(http)
    await verification.record(db, await verification.verify(db, CHECKS), utc_now())
    async with serving(create_app(settings)) as http:
        metrics = await exposed(http)
    assert metrics["bank_verification_timestamp_seconds"] > 0
    assert metrics["bank_verification_problems"] == 0
