"""The names, defaults and descriptions of all settings.

`.env.example` and the table in `docs/reference/settings.md` have the same descriptions in the same order.
"""

from pathlib import Path
from typing import Annotated

from pydantic import AliasChoices, Field, SecretStr, StringConstraints
from pydantic_settings import BaseSettings, SettingsConfigDict

from bank_graphql import environment
from bank_graphql.environment import Environment, LogLevel


class SettingFields(BaseSettings):
    """The settings as they are given. `settings.Settings` checks them against each other."""

    model_config = SettingsConfigDict(
        env_prefix="BANK_",
        env_file=environment.FILE,
        env_file_encoding=environment.ENCODING,
        env_ignore_empty=True,
        extra="ignore",
        populate_by_name=True,
        hide_input_in_errors=True,
    )

    env: Environment = Field(Environment.DEVELOPMENT, description="development or production.")
    data_dir: Path = Field(Path(".bank"), description="Where the embedded database and the development keys are.")
    archive_dir: Path | None = Field(
        None,
        description="Where the embedded database is archived continuously, best on another disk. `restore --to` recovers any "
        "moment of it.",
    )
    archive_days: int = Field(30, ge=1, le=3650, description="How many days the archive reaches back.")
    database_url: SecretStr | None = Field(
        None,
        validation_alias=AliasChoices("DATABASE_URL", "BANK_DATABASE_URL"),
        description="An external PostgreSQL 15 or newer, postgresql://user:password@host/name. Without it: the embedded one.",
    )
    database_schema: str = Field(
        "public",
        description="The schema of the database that the bank lives in; `migrate` makes it. Several banks of one owner can "
        "share a database.",
    )
    owner_database_url: SecretStr | None = Field(
        None,
        description="The same database as the owner of its schema: migrate, backup, restore and psql use it. By default "
        "DATABASE_URL.",
    )
    replica_url: SecretStr | None = Field(
        None,
        description="A streaming replica of the database, to read from. Reads see all that was committed before, as without it.",
    )
    sandbox: bool | None = Field(
        None,
        description="Whether account owners may deposit, withdraw and play the card network. "
        "By default only with the embedded database.",
    )
    sandbox_credit_limit: int = Field(
        1000,
        ge=0,
        le=1_000_000,
        description="Overdraft of new CREDIT accounts in a sandbox, in whole units of the currency.",
    )
    name: Annotated[str, StringConstraints(min_length=1, max_length=70)] = Field(
        "The Bank", description="The bank's name on statements."
    )
    bic: Annotated[str, StringConstraints(pattern="^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?$")] | None = Field(
        None, description="The bank's Business Identifier Code on statements. By default a test code of its country: BANKDEX0."
    )
    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="The port to listen on; 0 for any that is free.")
    public_url: str | None = Field(
        None,
        description="The bank's own address as its clients know it: the issuer of its tokens. By default made of host and port.",
    )
    allowed_origins: str = Field(
        "", description="Web origins that may call the API from a browser, separated by commas: https://app.example."
    )
    introspection: bool | None = Field(
        None,
        description="Whether clients may learn the schema: by introspection, `/schema.graphql` and `/schema.json`, and names "
        "that messages suggest. By default in development only.",
    )
    staff_networks: str = Field(
        "",
        description="Networks from which staff may sign in and act, separated by commas: 10.0.0.0/8,2001:db8::/32. "
        "By default any.",
    )
    trusted_documents: Path | None = Field(
        None,
        description="A manifest of documents that clients send by their ids: a JSON object of ids and documents, as GraphQL Code "
        "Generator and Relay write it.",
    )
    trusted_only: bool = Field(False, description="Whether only documents of that manifest are executed.")  # noqa: FBT003
    trusted_proxies: str = Field(
        "", description="Addresses of proxies whose X-Forwarded-For is trusted, separated by commas; by default none."
    )
    pool_min_size: int = Field(2, ge=1, le=500, description="Database connections opened at start.")
    pool_max_size: int = Field(10, ge=2, le=500, description="Database connections at most, for each process.")
    statement_timeout: float = Field(15, ge=1, le=600, description="Seconds after which the database cancels a statement.")
    batch_max: int = Field(
        100, ge=1, le=2000, description="Money movements in one database transaction, at most; an atomic batch may have more."
    )
    batch_queue: int = Field(10_000, ge=1, le=1_000_000, description="Money movements that may wait for their turn.")
    access_token_minutes: int = Field(
        30,
        ge=1,
        le=1440,
        validation_alias=AliasChoices("BANK_ACCESS_TOKEN_MINUTES", "ACCESS_TOKEN_EXPIRE_MINUTES"),
        description="Minutes for which an access token is valid.",
    )
    step_up_amount: int | None = Field(
        None, ge=0, description="Above how much, in whole units, a payment requires a fresh proof of who pays. By default never."
    )
    step_up_minutes: int = Field(
        15, ge=1, le=1440, description="Minutes for which a proof (signing in, `stepUp`) is fresh. New payees always require one."
    )
    four_eyes: bool = Field(False, description="Whether changes of roles need the approval of another administrator.")  # noqa: FBT003
    four_eyes_amount: int | None = Field(
        None,
        ge=0,
        le=1_000_000_000_000,
        description="Above how much, in whole units, higher overdraft limits and reversals need the approval of another member "
        "of staff. By default never.",
    )
    approval_hours: int = Field(24, ge=1, le=720, description="Hours for which such a request waits for approval.")
    session_days: int = Field(30, ge=1, le=365, description="Days without use after which a session ends.")
    signing_keys: SecretStr | None = Field(
        None,
        description="JWK set with private EC P-256 keys, or the path of a file with one; the first signs. Needed in production.",
    )
    iban_country: Annotated[str, StringConstraints(pattern="^[A-Z]{2}$")] = Field(
        "DE", description="Country of the account numbers, two letters."
    )
    iban_bank_code: str = Field("99999999", description="Bank code in the account numbers.")
    card_keys: SecretStr | None = Field(
        None,
        description="JWK set with 256-bit symmetric keys that protect card numbers, each with a kid of its own, or the path of a "
        "file with one; see rotate-card-keys. Needed in production.",
    )
    card_bin: Annotated[str, StringConstraints(pattern="^([0-9]{6}|[0-9]{8})$")] = Field(
        "990055", description="What card numbers begin with: the six or eight digits of a test BIN."
    )
    card_years: int = Field(4, ge=1, le=20, description="Years for which a card is valid.")
    card_hold_days: int = Field(7, ge=1, le=365, description="Days after which a card authorisation expires, if not captured.")
    card_tolerances: str = Field(
        "4121:20,5812:20,5813:20,5814:20,7011:15,7230:20,7512:15",
        description="By how many per cent more than authorised may be captured, by merchant category (ISO 18245), e.g. for tips.",
    )
    time_zone: str = Field(
        "UTC", description="Where the days, weeks and months of card limits and statements begin, e.g. Europe/Berlin."
    )
    cut_off: Annotated[str, StringConstraints(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")] = Field(
        "15:30", description="Payments to other banks before this time are settled on the same business day, in BANK_TIME_ZONE."
    )
    passkey_domain: str | None = Field(
        None,
        description="The domain for which passkeys are made, of the bank and of all front ends: example.com. By default the host "
        "of the bank's own address, and localhost for 127.0.0.1.",
    )
    smtp_url: SecretStr | None = Field(
        None,
        description="The server that sends mails: smtps://user:password@host, or smtp://… for STARTTLS, which this machine "
        "itself need not have. Without it, development writes them to the folder `mails` in BANK_DATA_DIR, and "
        "production sends none.",
    )
    mail_from: str | None = Field(None, description="The address that mails come from. BANK_SMTP_URL needs it.")
    rate_limit: int | None = Field(
        None,
        ge=200_000,
        le=1_000_000_000,
        description="Cost that a user may spend a minute, in units of about 10 microseconds of a core; a signed-out address "
        "a tenth. By default 1,000,000, and in a sandbox 100,000,000.",
    )
    log_in_rate_limit: int = Field(
        300,
        ge=10,
        le=100_000,
        description="Attempts a minute to sign up, log in or refresh, for each address; a tenth of them at one e-mail address.",
    )
    job_seconds: float = Field(5, ge=0.05, le=3600, description="Seconds between two searches for what is due.")
    redis_url: SecretStr | None = Field(
        None,
        description="A Redis or Valkey by which processes wake each other for the feed, and share rate limits: redis://…. "
        "Without it, PostgreSQL does both.",
    )
    feed_days: int = Field(90, ge=1, le=3650, description="Days for which the feed keeps its events.")
    key_days: int = Field(90, ge=30, le=3650, description="Days for which idempotency keys are stored.")
    migrate: bool = Field(True, description="Whether `serve` brings the database's schema up to date first.")  # noqa: FBT003
    demo: bool | None = Field(
        None, description="Whether `serve` fills an empty bank with demo customers. By default in an embedded sandbox."
    )
    drain_seconds: float | None = Field(
        None,
        ge=0,
        le=300,
        description="Seconds for which a process still serves after SIGTERM, while `/health/ready` says 503, before it closes "
        "its port. By default 5 in production, and 0 in development.",
    )
    log_level: LogLevel = Field(LogLevel.INFO, description="DEBUG, INFO, WARNING or ERROR.")
    run_schedules: bool = Field(
        True,  # noqa: FBT003
        description="Whether the server makes the transfers of standing orders, accrues interest and closes months, also when "
        "`advanceClock` moves the clock. Without it, `run-schedules` does, e.g. hourly, and `accrue` and `close-month`, e.g. "
        "each "
        "night.",
    )
    log_requests: bool = Field(False, description="Whether to log a line for each request, as BANK_LOG_LEVEL=DEBUG does.")  # noqa: FBT003
    slow_request_seconds: float = Field(
        1, ge=0.001, le=600, description="Seconds from which on a request is slow. Slow requests are always logged."
    )
    otlp_endpoint: str | None = Field(
        None, description="Where traces are sent by OTLP over HTTP: http://localhost:4318/v1/traces. Without it there are none."
    )
    trace_ratio: float = Field(1, ge=0, le=1, description="The part of the traces that is sent.")
    metrics_token: SecretStr | None = Field(
        None,
        min_length=16,
        description="The bearer token that `/metrics` requires, of at least 16 characters. Without it, `/metrics` is open in "
        "development, and not served in production except at BANK_METRICS_PORT.",
    )
    metrics_port: int | None = Field(
        None, ge=1, le=65535, description="A port of its own for `/metrics`, which the other one then does not serve."
    )
    metrics_host: str = Field("127.0.0.1", description="The address to listen on for BANK_METRICS_PORT.")
    audit_checkpoints: str | None = Field(
        None,
        description="The file to which signed heads of the audit are added every minute, best on another machine, or - for "
        "standard output. `verify --checkpoints` compares with them. By default none are written.",
    )
