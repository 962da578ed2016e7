"""The results of mutations: unions of a success and the rejections that are possible."""

from datetime import date
from typing import Annotated, Self

import strawberry

from bank_graphql.accounts.queries import TransactionRow
from bank_graphql.api.errors import (
    AccountStatusRejection,
    ApprovalRequiredRejection,
    BatchAbortedRejection,
    CredentialsRejection,
    CurrencyMismatchRejection,
    ForbiddenRejection,
    IdempotencyConflictRejection,
    InsufficientFundsRejection,
    LimitExceededRejection,
    NotFoundRejection,
    StateConflictRejection,
    StepUpRequiredRejection,
    ValidationRejection,
)
from bank_graphql.api.scalars import DateTime
from bank_graphql.api.scheduled import ScheduledTransfer
from bank_graphql.api.types.accounts import Account
from bank_graphql.api.types.approvals import Approval
from bank_graphql.api.types.cards import Card
from bank_graphql.api.types.enums import PayeeMatch
from bank_graphql.api.types.money import Money
from bank_graphql.api.types.payees import Payee
from bank_graphql.api.types.products import Product
from bank_graphql.api.types.transactions import Transaction
from bank_graphql.api.types.users import Passkey, User
from bank_graphql.identity.passkeys import PasskeyRequest
from bank_graphql.identity.queries import UserRow
from bank_graphql.kit import money
from bank_graphql.ledger.rules import TransactionState
from bank_graphql.payments.outcomes import Preview

GROWS = "More members that implement Rejection may be added."


@strawberry.type(description="The tokens with which a client acts as a user. Keep both secret.")
class AuthSession:
    access_token: str = strawberry.field(description="Send it as `Authorization: Bearer …`. It is valid until `expiresAt`.")
    refresh_token: str = strawberry.field(description="For `refreshSession`. It can be used once.")
    expires_at: DateTime = strawberry.field(description="When the access token expires.")
    user: UserRow = strawberry.field(description="The user who is signed in.", graphql_type=User)


@strawberry.type(description="The password was right, and the user has a second factor: call `completeLogIn` with its code.")
class MfaChallenge:
    challenge_token: str = strawberry.field(description="For `completeLogIn`.")
    expires_at: DateTime = strawberry.field(description="When the challenge expires: after 5 minutes.")


@strawberry.type(
    description="A secret for an app that shows one-time codes (TOTP, RFC 6238). It is in use after `confirmTotp`, and is not "
    "shown again."
)
class TotpEnrolment:
    secret: str = strawberry.field(description="The secret in base 32, to be typed into the app.")
    otpauth_url: str = strawberry.field(description="The secret as a link that opens the app on the same device.")
    qr_svg: str = strawberry.field(description="The link as a QR code, to be scanned: an SVG document.")


@strawberry.type(description="Codes that replace the second factor when the device is lost, each of them once.")
class RecoveryCodes:
    codes: list[str] = strawberry.field(description="Ten codes. Keep them in a safe place: they are not shown again.")


@strawberry.type(description="Success, without further data.")
class Done:
    ok: bool = strawberry.field(default=True, description="Always true.")


@strawberry.type(description="A transaction was made, or its state changed.")
class MoneyMoved:
    transaction: TransactionRow | TransactionState = strawberry.field(
        description="The transaction, in its present state.", graphql_type=Transaction
    )
    replayed: bool = strawberry.field(
        description="Whether an earlier request with the same key, or for `receiveTransfer` with the same reference, did this."
    )


@strawberry.type(description="The number and security code of a card. Show them to the holder, and do not store them.")
class CardSecrets:
    number: str = strawberry.field(description="The card number: 16 digits.")
    security_code: str = strawberry.field(description="The security code: three digits.")
    expires_at: DateTime = strawberry.field(description="When to stop showing them: after one minute.")


@strawberry.type(description="The result of a dry run: what would happen. Nothing was written.")
class MoneyPreview:
    amount: money.Money = strawberry.field(
        graphql_type=Money, description="The amount that would move, be reserved or be released."
    )
    from_available_after: money.Money | None = strawberry.field(
        graphql_type=Money | None,
        description="The available balance of the paying account afterwards. Null if that account is not visible to the viewer.",
    )
    to_booked_after: money.Money | None = strawberry.field(
        graphql_type=Money | None,
        description="The booked balance of the receiving account afterwards. Null if that account is not visible to the viewer.",
    )
    settles_on: date | None = strawberry.field(
        description="For a payment to another bank, the business day on which it would be settled. Null otherwise."
    )
    fee: money.Money | None = strawberry.field(
        graphql_type=Money | None,
        description="The fee that the bank would charge besides: it is taken off in `fromAvailableAfter`, and not a part of "
        "`amount`. Null if there is none.",
    )

    @classmethod
    def of(cls, preview: Preview) -> Self:
        """Return what the API shows of a preview."""
        return cls(
            amount=preview.amount,
            from_available_after=preview.from_available_after,
            to_booked_after=preview.to_booked_after,
            settles_on=preview.settles_on,
            fee=preview.fee,
        )


@strawberry.type(description="What fell due while the clock moved, of one kind.")
class FellDue:
    what: str = strawberry.field(description="What was done, e.g. `expire holds`.")
    count: int = strawberry.field(description="How many times.")


@strawberry.type(description="The clock was moved, and all that fell due was done.")
class ClockAdvanced:
    now: DateTime = strawberry.field(description="The bank's time.")
    happened: int = strawberry.field(description="How many things fell due and were done.")
    details: list[FellDue] = strawberry.field(description="What those were.")


@strawberry.type(description="How the name of a payee compares with that of the account's holder.")
class PayeeVerification:
    match: PayeeMatch = strawberry.field(description="The answer. The payer may pay whatever it is.")
    actual_name: str | None = strawberry.field(description="The holder's name, for a CLOSE_MATCH. Null for all others.")
    token: str = strawberry.field(description="For `transfer`, by the same user to the same account.")
    expires_at: DateTime = strawberry.field(description="When the token expires: after 15 minutes.")


@strawberry.type(description="Statements were issued.")
class StatementsIssued:
    month: date = strawberry.field(description="The first day of the month.")
    issued: int = strawberry.field(
        description="How many statements were issued: those of the month and of months before that were missing. 0 if none was."
    )


@strawberry.type(description="A link to the entries of an account.")
class EntryExport:
    url: str = strawberry.field(description="The link. Whoever has it can open it, without a token.")
    expires_at: DateTime = strawberry.field(description="When the link expires: after 15 minutes at most.")


@strawberry.type(description="What a browser is to ask a device for, so that it makes or uses a passkey.")
class PasskeyChallenge:
    options: str = strawberry.field(
        description="The options of WebAuthn in JSON: for `PublicKeyCredential.parseCreationOptionsFromJSON` after "
        "`requestPasskey`, for `parseRequestOptionsFromJSON` after `requestPasskeyLogIn`."
    )
    challenge_token: str = strawberry.field(description="Send it back with the answer.")
    expires_at: DateTime = strawberry.field(description="When the challenge expires: after five minutes.")

    @classmethod
    def of(cls, request: PasskeyRequest) -> "PasskeyChallenge":
        """Return the request for the device."""
        challenge = request.challenge
        return cls(options=request.options, challenge_token=challenge.token, expires_at=DateTime(challenge.expires_at))


@strawberry.type(description="A link to everything that the bank holds about the viewer.")
class PersonalDataExport:
    url: str = strawberry.field(description="The link to a JSON document. Whoever has it can open it, without a token.")
    expires_at: DateTime = strawberry.field(description="When the link expires: after 15 minutes at most.")


SignUpResult = Annotated[
    AuthSession | ValidationRejection,
    strawberry.union("SignUpResult", description=f"A session, or a rejection. {GROWS}"),
]
LogInResult = Annotated[
    AuthSession | MfaChallenge | CredentialsRejection,
    strawberry.union(
        "LogInResult", description=f"A session; a challenge, to be answered with a second factor; or a rejection. {GROWS}"
    ),
]
RefreshSessionResult = Annotated[
    AuthSession | CredentialsRejection,
    strawberry.union("RefreshSessionResult", description=f"The session's new tokens, or a rejection. {GROWS}"),
]
EnrolTotpResult = Annotated[
    TotpEnrolment | StateConflictRejection | CredentialsRejection,
    strawberry.union("EnrolTotpResult", description=f"The new secret, or a rejection. {GROWS}"),
]
ConfirmTotpResult = Annotated[
    RecoveryCodes | CredentialsRejection | StateConflictRejection,
    strawberry.union("ConfirmTotpResult", description=f"Recovery codes, or a rejection. {GROWS}"),
]
ChangePasswordResult = Annotated[
    Done | CredentialsRejection | ValidationRejection | StateConflictRejection | StepUpRequiredRejection,
    strawberry.union("ChangePasswordResult", description=f"Success, or a rejection. {GROWS}"),
]
RequestPasskeyResult = Annotated[
    PasskeyChallenge | StepUpRequiredRejection,
    strawberry.union("RequestPasskeyResult", description=f"What to ask the device for, or a rejection. {GROWS}"),
]
PasskeyResult = Annotated[
    Passkey | ValidationRejection | StepUpRequiredRejection,
    strawberry.union("PasskeyResult", description=f"The new passkey, or a rejection. {GROWS}"),
]
RemovePasskeyResult = Annotated[
    Done | NotFoundRejection | StepUpRequiredRejection,
    strawberry.union("RemovePasskeyResult", description=f"Success, or a rejection. {GROWS}"),
]
MailRequestResult = Annotated[
    Done | StateConflictRejection,
    strawberry.union("MailRequestResult", description=f"The mail is on its way, or a rejection. {GROWS}"),
]
StepUpResult = Annotated[
    Done | CredentialsRejection | ValidationRejection,
    strawberry.union("StepUpResult", description=f"Success, or a rejection. {GROWS}"),
]
LogOutResult = Annotated[
    Done | NotFoundRejection,
    strawberry.union("LogOutResult", description=f"Success, or a rejection. {GROWS}"),
]
UserResult = Annotated[
    User
    | NotFoundRejection
    | ForbiddenRejection
    | ValidationRejection
    | StateConflictRejection
    | StepUpRequiredRejection
    | CredentialsRejection
    | ApprovalRequiredRejection,
    strawberry.union("UserResult", description=f"The user as changed, or a rejection. {GROWS}"),
]
AccountResult = Annotated[
    Account
    | MoneyPreview
    | NotFoundRejection
    | ForbiddenRejection
    | ValidationRejection
    | StateConflictRejection
    | CurrencyMismatchRejection
    | AccountStatusRejection
    | IdempotencyConflictRejection
    | ApprovalRequiredRejection,
    strawberry.union(
        "AccountResult",
        description=f"The account as changed, the preview of an opening in a dry run, or a rejection. {GROWS}",
    ),
]
CardResult = Annotated[
    Card
    | MoneyPreview
    | NotFoundRejection
    | ForbiddenRejection
    | ValidationRejection
    | StateConflictRejection
    | CurrencyMismatchRejection
    | AccountStatusRejection
    | IdempotencyConflictRejection,
    strawberry.union(
        "CardResult", description=f"The card as changed, the preview of a replacement in a dry run, or a rejection. {GROWS}"
    ),
]
RevealCardResult = Annotated[
    CardSecrets | NotFoundRejection | CredentialsRejection | StateConflictRejection | StepUpRequiredRejection,
    strawberry.union("RevealCardResult", description=f"The number and security code, or a rejection. {GROWS}"),
]
MoveMoneyResult = Annotated[
    MoneyMoved
    | MoneyPreview
    | ValidationRejection
    | NotFoundRejection
    | ForbiddenRejection
    | InsufficientFundsRejection
    | CurrencyMismatchRejection
    | AccountStatusRejection
    | LimitExceededRejection
    | StateConflictRejection
    | IdempotencyConflictRejection
    | BatchAbortedRejection
    | StepUpRequiredRejection
    | ApprovalRequiredRejection,
    strawberry.union("MoveMoneyResult", description=f"The transaction, its preview in a dry run, or a rejection. {GROWS}"),
]


@strawberry.type(description="The results of a batch of transfers.")
class TransferBatchOutcome:
    results: list[object] = strawberry.field(
        description="One result for each transfer, in the given order.", graphql_type=list[MoveMoneyResult]
    )
    moved: int = strawberry.field(description="How many were made, now or when their key was first used.")
    rejected: int = strawberry.field(description="How many were rejected.")
    previewed: int = strawberry.field(description="How many were only previewed, in a dry run.")


TransferBatchResult = Annotated[
    TransferBatchOutcome | ValidationRejection | ForbiddenRejection,
    strawberry.union("TransferBatchResult", description=f"The results of the batch, or a rejection of the whole batch. {GROWS}"),
]
DecideResult = Annotated[
    Approval
    | NotFoundRejection
    | ForbiddenRejection
    | StateConflictRejection
    | InsufficientFundsRejection
    | AccountStatusRejection
    | StepUpRequiredRejection,
    strawberry.union("DecideResult", description=f"The proposal as decided, or a rejection. {GROWS}"),
]
ClockResult = Annotated[
    ClockAdvanced | ForbiddenRejection | ValidationRejection,
    strawberry.union("ClockResult", description=f"The clock as moved, or a rejection. {GROWS}"),
]
IssueStatementsResult = Annotated[
    StatementsIssued | ForbiddenRejection | ValidationRejection,
    strawberry.union("IssueStatementsResult", description=f"How many statements were issued, or a rejection. {GROWS}"),
]
ExportEntriesResult = Annotated[
    EntryExport | NotFoundRejection | ValidationRejection,
    strawberry.union("ExportEntriesResult", description=f"The link, or a rejection. {GROWS}"),
]
ExportMyDataResult = Annotated[
    PersonalDataExport | StepUpRequiredRejection,
    strawberry.union("ExportMyDataResult", description=f"The link, or a rejection. {GROWS}"),
]
PayeeResult = Annotated[
    Payee | NotFoundRejection | ValidationRejection | StepUpRequiredRejection,
    strawberry.union("PayeeResult", description=f"The payee as changed, or a rejection. {GROWS}"),
]
ScheduledTransferResult = Annotated[
    ScheduledTransfer
    | NotFoundRejection
    | ForbiddenRejection
    | ValidationRejection
    | CurrencyMismatchRejection
    | AccountStatusRejection
    | StateConflictRejection
    | IdempotencyConflictRejection
    | StepUpRequiredRejection,
    strawberry.union("ScheduledTransferResult", description=f"The standing order, or a rejection. {GROWS}"),
]
ProductResult = Annotated[
    Product | NotFoundRejection | ForbiddenRejection | ValidationRejection,
    strawberry.union("ProductResult", description=f"The product as changed, or a rejection. {GROWS}"),
]
VerifyPayeeResult = Annotated[
    PayeeVerification | ValidationRejection,
    strawberry.union("VerifyPayeeResult", description=f"The verification, or a rejection. {GROWS}"),
]
