"""Passwords, second factors, one's own data, and closing oneself."""

import strawberry

from bank_graphql.api.context import Context
from bank_graphql.api.inputs.common import passkey_id
from bank_graphql.api.inputs.identity import PasskeyAnswerInput
from bank_graphql.api.results import (
    ChangePasswordResult,
    ConfirmTotpResult,
    Done,
    EnrolTotpResult,
    ExportMyDataResult,
    MailRequestResult,
    PasskeyChallenge,
    PasskeyResult,
    PersonalDataExport,
    RecoveryCodes,
    RemovePasskeyResult,
    RequestPasskeyResult,
    StepUpResult,
    TotpEnrolment,
    UserResult,
)
from bank_graphql.api.scalars import DateTime
from bank_graphql.engine.fields import mutation
from bank_graphql.identity.passkeys import PasskeyRow
from bank_graphql.identity.queries import UserRow
from bank_graphql.privacy import service as privacy


@strawberry.type
class CredentialMutations:
    @mutation(ChangePasswordResult, "Change the viewer's password. All other sessions of the viewer end at once.")
    @staticmethod
    async def change_password(context: Context, current: str, new: str) -> Done:
        await context.attempt_again()
        await context.services.credentials.change_password(context.viewer, current, new)
        return Done()

    @mutation(
        EnrolTotpResult,
        "Begin to set up a second factor: make a secret for an app that shows one-time codes. `confirmTotp` puts it into use. "
        "Calling it again replaces a secret that was not confirmed.",
    )
    @staticmethod
    async def enrol_totp(context: Context, password: str) -> TotpEnrolment:
        await context.attempt_again()
        made = await context.services.credentials.enrol_totp(context.viewer, password)
        return TotpEnrolment(secret=made.secret, otpauth_url=made.otpauth_url, qr_svg=made.qr_svg)

    @mutation(
        ConfirmTotpResult,
        "Put the new second factor into use with a code that the app shows. From now on `logIn` answers with a challenge. Each "
        "code is good for one use, and this one is used.",
    )
    @staticmethod
    async def confirm_totp(context: Context, code: str) -> RecoveryCodes:
        await context.attempt_again()
        return RecoveryCodes(codes=await context.services.credentials.confirm_totp(context.viewer, code))

    @mutation(ChangePasswordResult, "Remove the viewer's second factor, with a one-time code or a recovery code.")
    @staticmethod
    async def disable_totp(context: Context, password: str, code: str) -> Done:
        await context.attempt_again()
        await context.services.credentials.disable_totp(context.viewer, password, code)
        return Done()

    @mutation(
        RequestPasskeyResult,
        "Begin to add a passkey: return what to ask the device for. It requires that the viewer proved a short while ago who "
        "they are.",
    )
    @staticmethod
    async def request_passkey(context: Context) -> PasskeyChallenge:
        return PasskeyChallenge.of(await context.services.credentials.request_passkey(context.viewer))

    @mutation(
        PasskeyResult,
        "Add the passkey that the device made for `requestPasskey`, under a name of up to 100 characters. From now on "
        "`logInWithPasskey` takes it. A user has at most 20.",
    )
    @staticmethod
    async def add_passkey(context: Context, name: str, input: PasskeyAnswerInput) -> PasskeyRow:  # noqa: A002 - as the others
        viewer, services = context.viewer, context.services
        added = await services.credentials.add_passkey(viewer, name, input.answer)
        return next(row for row in await services.identity.passkeys.of(services.db, viewer.user_id) if row.id == added)

    @mutation(RemovePasskeyResult, "Forget a passkey of the viewer. Sessions that it opened go on: see `logOut`.")
    @staticmethod
    async def remove_passkey(context: Context, id: strawberry.ID) -> Done:  # noqa: A002 - as the others
        await context.services.credentials.remove_passkey(context.viewer, passkey_id(id))
        return Done()

    @mutation(
        MailRequestResult,
        "Mail the viewer a code for `verifyEmail`. One is mailed after `signUp`, too. Within five minutes of the last one none "
        "is sent, and that one is still good.",
    )
    @staticmethod
    async def request_email_verification(context: Context) -> Done:
        await context.attempt_again()
        await context.services.addresses.request_verification(context.viewer)
        return Done()

    @mutation(
        UserResult,
        "Prove with a mailed code that the viewer reads the e-mail address. A code is good for 30 minutes. "
        "Notices of new devices and changed credentials are mailed to verified addresses alone.",
    )
    @staticmethod
    async def verify_email(context: Context, code: str) -> UserRow | None:
        await context.attempt_again()
        viewer = context.viewer
        await context.services.addresses.verify(viewer, code)
        return await context.loader(context.readers.user).load(viewer.user_id)

    @mutation(
        MailRequestResult,
        "Mail a code for `resetPassword` to the user with this address. The answer is the same if there is none. Within five "
        "minutes of the last one no code is sent, and that one is still good.",
    )
    @staticmethod
    async def request_password_reset(context: Context, email: str) -> Done:
        await context.attempt(email)
        await context.services.addresses.request_reset(email, context.origin)
        return Done()

    @mutation(
        ChangePasswordResult,
        "Choose a new password with a mailed code, which is good for 30 minutes. All sessions of the user end, passkeys are "
        "removed, and the address counts as verified. A second factor stays, unless the address was not verified before.",
    )
    @staticmethod
    async def reset_password(context: Context, email: str, code: str, new_password: str) -> Done:
        await context.attempt(email)
        await context.services.addresses.reset(email=email, code=code, new_password=new_password, origin=context.origin)
        return Done()

    @mutation(
        StepUpResult,
        "Prove again that it is the viewer: with the challenge of a StepUpRequiredRejection, and with what its `factor` asks "
        "for, a code or the password, or in place of either with what a device answered to `requestPasskeyLogIn`. It holds in "
        "this session for BANK_STEP_UP_MINUTES, in other processes after 2 seconds at most. Each challenge is good for one use.",
    )
    @staticmethod
    async def step_up(
        context: Context,
        challenge: str,
        code: str | None = None,
        password: str | None = None,
        passkey: PasskeyAnswerInput | None = None,
    ) -> Done:
        await context.attempt_again()
        answer = passkey.answer if passkey else None
        await context.services.step_up.complete(context.viewer, challenge, code=code, password=password, passkey=answer)
        return Done()

    @mutation(
        ExportMyDataResult,
        "Return a link to everything that the bank holds about the viewer, as a JSON document. It requires that the viewer "
        "proved a short while ago who they are.",
    )
    @staticmethod
    async def export_my_data(context: Context) -> PersonalDataExport:
        path = await privacy.request_export(context.services.db, context.viewer)
        url, expires_at = context.services.links.make(path)
        return PersonalDataExport(url=url, expires_at=DateTime(expires_at))

    @mutation(
        UserResult,
        "Close the viewer for good, with all accounts and cards. It is refused while an account holds money or a debt: "
        "transfer or pay it first. All sessions end at once. What was booked stays in the books, and the e-mail address stays "
        "taken.",
    )
    @staticmethod
    async def close_user(context: Context, password: str) -> UserRow | None:
        await context.attempt_again()
        viewer = context.viewer
        await context.services.closing.close_user(viewer, password)
        closed = await context.loader(context.readers.user).load(viewer.user_id)
        context.end_bearer()
        return closed
