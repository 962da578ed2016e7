"""The commands about registered clients: applications of others, to which users may consent."""

import asyncio
from collections.abc import Callable
from typing import Annotated
from uuid import UUID

import typer

from bank_graphql import serving
from bank_graphql import settings as configuration
from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.errors import ValidationFailed
from bank_graphql.kit.terminal import fail
from bank_graphql.oauth.clients import Clients
from bank_graphql.oauth.statements import ClientRow


def register_client(
    name: Annotated[str, typer.Argument(help="The name that users read when they are to consent.")],
    redirect_uri: Annotated[list[str], typer.Option(help="Where users return to. Give one option for each address.")],
    scope: Annotated[list[str], typer.Option(help="What it may request, as accounts:read. Give one option for each scope.")],
    public: Annotated[bool, typer.Option("--public", help="It runs where it cannot keep a secret: a browser, a phone.")] = False,
) -> None:
    """Register an application of somebody else, to which users may consent. Its secret is shown once."""
    settings = configuration.load()

    async def work() -> tuple[UUID, str | None]:
        async with serving.existing_bank(settings) as bank:
            clients = Clients(bank.db, utc_now)
            return await clients.register(name, redirect_uri, frozenset(scope), is_confidential=not public)

    try:
        client_id, secret = asyncio.run(work())
    except ValidationFailed as error:
        fail(str(error))
    print(f"client_id={client_id.hex}")
    if secret is not None:
        print(f"client_secret={secret}")


def clients() -> None:
    """List the registered clients, oldest first."""
    settings = configuration.load()

    async def work() -> list[ClientRow]:
        async with serving.existing_bank(settings) as bank:
            return await Clients(bank.db, utc_now).all()

    for client in asyncio.run(work()):
        state = "active" if client.disabled_at is None else "disabled"
        kind = "public" if client.secret_hash is None else "confidential"
        print(f"{client.id.hex}  {state:8}  {kind:12}  {client.name}  ({' '.join(client.scopes)})")


def disable_client(client_id: Annotated[str, typer.Argument(help="The client_id, as 'clients' lists it.")]) -> None:
    """Refuse a registered client from now on. All consents to it end."""
    settings = configuration.load()

    async def work() -> bool:
        async with serving.existing_bank(settings) as bank:
            return await Clients(bank.db, utc_now).disable(client_id)

    if not asyncio.run(work()):
        fail(f"There is no registered client {client_id}: 'bank-graphql clients' lists them.")
    print("The client is refused from now on, and has no consent any more.")


COMMANDS: dict[str, Callable[..., None]] = {
    "register-client": register_client,
    "clients": clients,
    "disable-client": disable_client,
}
