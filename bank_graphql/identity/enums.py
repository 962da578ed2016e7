"""The values that the users' columns may have, and what users do with their sessions. Pure, so that rules may import them."""

from enum import StrEnum


class UserRole(StrEnum):
    """What a user is to the bank. `permissions.PERMISSIONS` says what each role allows."""

    CUSTOMER = "CUSTOMER"
    TELLER = "TELLER"
    AUDITOR = "AUDITOR"
    PROCESSOR = "PROCESSOR"
    ADMIN = "ADMIN"


class UserStatus(StrEnum):
    """Whether a user may sign in. CLOSED is final; the row stays, because the ledger refers to it."""

    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    CLOSED = "CLOSED"


class IdentityAction(StrEnum):
    """What a user does, by the API's names, which the audit records. CREATE_USER is done on the command line."""

    CREATE_USER = "createUser"
    SIGN_UP = "signUp"
    LOG_IN = "logIn"
    REFRESH_SESSION = "refreshSession"
    LOG_OUT = "logOut"
    UPDATE_PROFILE = "updateProfile"
    COMPLETE_LOG_IN = "completeLogIn"
    CHANGE_PASSWORD = "changePassword"  # noqa: S105 - an action
    ENROL_TOTP = "enrolTotp"
    CONFIRM_TOTP = "confirmTotp"
    DISABLE_TOTP = "disableTotp"
    CLOSE_USER = "closeUser"
    SET_USER_ROLE = "setUserRole"
    SUSPEND_USER = "suspendUser"
    REINSTATE_USER = "reinstateUser"
    ERASE_USER = "eraseUser"
    STEP_UP = "stepUp"
    REQUEST_PASSKEY = "requestPasskey"
    ADD_PASSKEY = "addPasskey"
    REMOVE_PASSKEY = "removePasskey"
    LOG_IN_WITH_PASSKEY = "logInWithPasskey"
    REMOVE_SECOND_FACTOR = "removeSecondFactor"
    REQUEST_EMAIL_VERIFICATION = "requestEmailVerification"
    VERIFY_EMAIL = "verifyEmail"
    REQUEST_PASSWORD_RESET = "requestPasswordReset"  # noqa: S105 - an action
    RESET_PASSWORD = "resetPassword"  # noqa: S105 - an action


class GrantKind(StrEnum):
    """What a program is: an AGENT acts for a customer; an API_KEY is of a service; a CONSENT is to a registered client."""

    AGENT = "AGENT"
    API_KEY = "API_KEY"
    CONSENT = "CONSENT"


class GrantAction(StrEnum):
    """What is done to access grants, by the API's names, which the audit records."""

    CREATE = "createAccessGrant"
    CREATE_KEY = "createApiKey"
    ROTATE = "rotateAccessGrant"
    REVOKE = "revokeAccessGrant"
    CONSENT = "consent"
    END = "endConsent"


class StepUpFactor(StrEnum):
    """With what a user proves again who they are."""

    PASSWORD = "PASSWORD"  # noqa: S105 - a kind of factor
    CODE = "CODE"


class MfaState(StrEnum):
    """Whether a user signs in with a second factor. ENROLLED: a secret was made, and its first code is awaited."""

    DISABLED = "DISABLED"
    ENROLLED = "ENROLLED"
    ENABLED = "ENABLED"
