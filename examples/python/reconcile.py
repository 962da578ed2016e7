"""Keep a journal of an account, from the bank's feed, and check that it agrees with the bank.

    python reconcile.py URL EMAIL [ACCOUNT_NUMBER] [--journal FILE] [--follow]

The first run reads all entries; each later one reads the events since. The password is read from BANK_PASSWORD, or at a prompt.
Without an account number, it lists the accounts.
"""

import argparse
import asyncio
import getpass
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TypeVar

import websockets
from bank_client import Client
from bank_client.entries import Entries
from bank_client.exceptions import GraphQLClientError, GraphQLClientGraphQLMultiError
from bank_client.fragments import Happened, Tokens
from journal import DoesNotAddUpError, Journal

T = TypeVar("T")


class Bank:
    """The bank's API for one user. Its access token is renewed when it has expired."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._refresh_token = ""
        self.client = Client(url)

    async def sign_in(self, email: str, password: str) -> None:
        """Sign in, with a code of the second factor if the user has one."""
        answer = (await self.client.log_in(email, password)).log_in
        if answer.typename__ == "MfaChallenge":
            code = await asyncio.to_thread(input, "Code of your app: ")
            self._accept((await self.client.complete_log_in(answer.challenge_token, code)).complete_log_in)
        else:
            self._accept(answer)

    def _accept(self, answer: object) -> None:
        if not isinstance(answer, Tokens):
            sys.exit(getattr(answer, "message", "The bank wants something that this program does not know."))
        self._use(answer)

    def _use(self, tokens: Tokens) -> None:
        self._refresh_token = tokens.refresh_token
        authorization = {"authorization": f"Bearer {tokens.access_token}"}
        sockets = self._url.replace("http", "ws", 1)
        self.client = Client(self._url, headers=authorization, ws_url=sockets, ws_connection_init_payload=authorization)

    async def renew(self) -> None:
        """Renew the tokens."""
        self._accept((await Client(self._url).refresh(self._refresh_token)).refresh_session)

    async def call(self, request: Callable[[Client], Awaitable[T]]) -> T:
        """Return the answer of a request, which is sent again once with a new token."""
        try:
            return await request(self.client)
        except GraphQLClientGraphQLMultiError as error:
            if code_of(error) != "UNAUTHENTICATED":
                raise
        await self.renew()
        return await request(self.client)


def code_of(error: GraphQLClientGraphQLMultiError) -> object:
    """Return the code of the first error of an answer."""
    return (error.errors[0].extensions or {}).get("code")


def present(found: T | None) -> T:
    """Return what the bank has found. What is not visible any more ends the program."""
    return found if found is not None else sys.exit("The account is not visible any more.")


class Reconciler:
    """Brings a journal up to date with an account, and compares their balances."""

    def __init__(self, bank: Bank, journal: Journal, account_id: str, number: str) -> None:
        self._bank = bank
        self._journal = journal
        self._account_id = account_id
        self._number = number

    async def run(self) -> None:
        """Read what the journal lacks, and compare the balances.

        Raises:
            DoesNotAddUpError: the entries do not add up, or not to the account's balance.
        """
        if self._journal.cursor is None:
            await self._read_entries()
        account = present((await self._bank.call(lambda client: client.account(self._number))).account_by_number)
        balances = {self._journal.balance, *[balance async for balance in self._read_events()]}
        # More may have been booked after the balance was read, so it may be any that the journal has passed.
        if account.balance.booked.amount not in balances:
            raise DoesNotAddUpError(f"The account has {account.balance.booked.amount}, the journal {self._journal.balance}.")

    async def _read_entries(self) -> None:
        """Read the entries, oldest first, from where the journal ends. The cursor comes first, so no event falls between."""
        cursor = (await self._bank.call(lambda client: client.feed_cursor())).feed_cursor or ""
        place = self._journal.place
        has_more = True
        while has_more:
            page = await self._bank.call(partial(self._page, place))
            entries = present(page.account).entries
            for entry in reversed(entries.nodes):
                self._journal.add(entry)
            place, has_more = entries.page_info.start_cursor or place, entries.page_info.has_previous_page
        self._journal.commit(cursor, place)

    async def _page(self, before: str | None, client: Client) -> Entries:
        return await client.entries(self._account_id, before)

    async def _read_events(self) -> AsyncIterator[Decimal]:
        """Read the events since, page by page; the journal's balance after each."""
        has_more = True
        while has_more:
            try:
                page = await self._bank.call(lambda client: client.events(self._account_id, self._journal.cursor))
            except GraphQLClientGraphQLMultiError as error:
                if code_of(error) != "CURSOR_EXPIRED":
                    raise
                await self._read_entries()  # the bank has deleted the events, but never an entry
                yield self._journal.balance
                continue
            events = present(page.transaction_events)
            for event in events.nodes:
                self._add(event)
                yield self._journal.balance
            self._journal.commit(events.page_info.end_cursor or self._journal.cursor or "")
            has_more = events.page_info.has_next_page

    async def follow(self) -> None:
        """Add each event as it happens. A broken connection is opened again, after the last event."""
        while True:
            try:
                async for event in self._bank.client.follow(self._account_id, self._journal.cursor):
                    self._add(event.transaction_feed)
                    self._journal.commit(event.transaction_feed.cursor)
                    print(f"{self._journal.balance} {self._journal.currency}", flush=True)
            except (GraphQLClientError, websockets.WebSocketException, OSError):
                await asyncio.sleep(1)
                await self._bank.renew()
                await self.run()

    def _add(self, event: Happened) -> None:
        for entry in event.transaction.entries:
            if entry.account.id == self._account_id:
                self._journal.add(entry)


async def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description="Keep a journal of an account, and check that it agrees with the bank.")
    parser.add_argument("url", help="e.g. http://127.0.0.1:8000/graphql")
    parser.add_argument("email")
    parser.add_argument("number", nargs="?", help="the account's number; without it, the accounts are listed")
    parser.add_argument("--journal", type=Path, default=Path("bank.journal"))
    parser.add_argument("--follow", action="store_true", help="go on, until it is stopped")
    given = parser.parse_args()
    bank = Bank(given.url)
    await bank.sign_in(given.email, os.environ.get("BANK_PASSWORD") or getpass.getpass("Password: "))
    if given.number is None:
        me = (await bank.client.accounts()).me
        for each in me.accounts.nodes if me else []:
            print(each.number, each.name)
        return
    account = (await bank.client.account(given.number)).account_by_number
    if account is None:
        sys.exit("There is no account with this number, or it is not yours.")
    zero = account.balance.booked.amount * 0  # with the currency's digits
    journal = Journal(given.journal, f"assets:bank:{account.number}", account.currency.value, zero)
    journal.load()
    reconciler = Reconciler(bank, journal, account.id, account.number)
    await reconciler.run()
    print(f"The journal agrees with the bank: {journal.balance} {journal.currency}", flush=True)
    if given.follow:
        await reconciler.follow()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except DoesNotAddUpError as error:
        sys.exit(f"This does not add up. {error}")
    except (GraphQLClientError, OSError) as error:
        sys.exit(f"The bank does not answer: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
