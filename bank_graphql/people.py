"""Puts together what has to do with users: how they sign in and prove who they are, what staff do with them, mails to them."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from bank_graphql.environment import Environment
from bank_graphql.identity import jobs as identity_jobs
from bank_graphql.identity.addresses import Addresses
from bank_graphql.identity.attempts import Buckets, PostgresBuckets
from bank_graphql.identity.authenticators import RelyingParty
from bank_graphql.identity.credentials import Credentials
from bank_graphql.identity.email_codes import EmailCodes
from bank_graphql.identity.factors import SecondFactors
from bank_graphql.identity.metrics import IdentityMetrics
from bank_graphql.identity.networks import StaffNetworks
from bank_graphql.identity.notices import Notices
from bank_graphql.identity.passkeys import Passkeys
from bank_graphql.identity.passwords import PasswordHasher
from bank_graphql.identity.redis_buckets import RedisBuckets
from bank_graphql.identity.service import Identity
from bank_graphql.identity.sessions import Sessions
from bank_graphql.identity.step_up import StepUp
from bank_graphql.identity.tokens import AccessTokens, load_keys
from bank_graphql.identity.users import Users
from bank_graphql.keys import keys_of_tokens
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Database
from bank_graphql.kit.jobs import Job
from bank_graphql.kit.metrics import Metrics
from bank_graphql.mail import jobs as mail_jobs
from bank_graphql.mail.metrics import MailMetrics
from bank_graphql.mail.senders import FolderSender, Sender, SmtpSender
from bank_graphql.mail.service import Outbox
from bank_graphql.settings import Settings

MAILS = "mails"
"""The folder of `BANK_DATA_DIR` to which development writes mails."""


@dataclass(frozen=True, slots=True)
class People:
    """The parts that have to do with users."""

    db: Database
    identity: Identity
    users: Users
    credentials: Credentials
    step_up: StepUp
    addresses: Addresses
    codes: EmailCodes
    outbox: Outbox
    clock: Clock

    def jobs(self, *, seconds: float) -> tuple[Job, ...]:
        """Return the jobs that a serving process runs. `seconds` is how often to look for what is to be done."""
        return (
            *identity_jobs.jobs(self.db, self.identity.attempts, self.codes, self.clock, seconds=seconds),
            *mail_jobs.jobs(self.outbox, seconds=seconds),
        )


def open_people(
    db: Database, settings: Settings, clock: Clock, stack: AsyncExitStack, metrics: Metrics, secrets_key: bytes
) -> People:
    """Put the parts together.

    Args:
        db: the database.
        settings: the bank's settings.
        clock: gives the real time.
        stack: where to add what is to be closed.
        metrics: where the parts declare what they measure.
        secrets_key: the key that protects the secrets of users.

    Raises:
        ConfigurationError: a key or a setting is not as the bank needs it.
    """
    hasher = PasswordHasher()
    stack.callback(hasher.close)
    tokens = AccessTokens(
        load_keys(keys_of_tokens(settings)),
        issuer=settings.address,
        audience=settings.address,
        lifetime=timedelta(minutes=settings.access_token_minutes),
    )
    identity_metrics = IdentityMetrics(metrics)
    sessions = Sessions(
        db,
        tokens,
        clock=clock,
        lifetime=timedelta(days=settings.session_days),
        metrics=identity_metrics,
        networks=StaffNetworks(settings.networks_of_staff),
        verified_for=timedelta(minutes=settings.step_up_minutes),
    )
    factors = SecondFactors(secrets_key, issuer=settings.name, clock=clock)
    party = RelyingParty(settings.passkeys_domain, settings.passkey_origins, settings.name)
    passkeys = Passkeys(party, tokens.private_keys, clock)
    codes = EmailCodes(secrets_key, clock)
    outbox = Outbox(db, _sender(settings), secrets_key, clock, MailMetrics(metrics).count)
    notices = Notices(outbox, codes, settings.name, clock)
    identity = Identity(
        db,
        hasher,
        sessions,
        factors,
        passkeys,
        notices,
        _buckets(db, settings, secrets_key, stack),
        clock=clock,
        allow_test_domains=settings.is_sandbox,
        metrics=identity_metrics,
    )
    return People(
        db=db,
        identity=identity,
        users=Users(db, sessions, factors, passkeys, notices, clock),
        credentials=Credentials(db, identity),
        step_up=StepUp(db, identity, clock),
        addresses=Addresses(db, identity, codes, outbox, bank_name=settings.name, clock=clock),
        codes=codes,
        outbox=outbox,
        clock=clock,
    )


def _buckets(db: Database, settings: Settings, key: bytes, stack: AsyncExitStack) -> Buckets:
    """Return the buckets that processes share: in Redis if there is one, otherwise in the database."""
    if settings.redis_url is None:
        return PostgresBuckets(db, key)
    buckets = RedisBuckets(settings.redis_url.get_secret_value(), key)
    stack.push_async_callback(buckets.close)
    return buckets


def _sender(settings: Settings) -> Sender | None:
    """Return what sends mails; None if the bank sends none."""
    sender = settings.mail_from or f"bank@{urlsplit(settings.address).hostname}"
    if settings.smtp_url is not None:
        return SmtpSender(settings.smtp_url.get_secret_value(), sender)
    return None if settings.env is Environment.PRODUCTION else FolderSender(settings.data_dir / MAILS, sender)
