"""What devices with passkeys are asked, and whether what they answer is right: WebAuthn, by py_webauthn.

The library is imported when it is first used: it takes a twentieth of a second of each start, and memory.
"""

from base64 import urlsafe_b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import orjson

MAX_CHARACTERS = 20_000
"""The longest answer that is read."""
_MAX_ID_BYTES = 1023
"""The longest id of a passkey that WebAuthn allows."""


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """The bank as devices know it.

    Attributes:
        domain: the domain for which passkeys are made. Devices use them there and on its subdomains alone.
        origins: the origins of the pages that may ask for them.
        name: the bank's name, as devices show it.
    """

    domain: str
    origins: Sequence[str]
    name: str


@dataclass(frozen=True, slots=True)
class MadePasskey:
    """A passkey that a device made."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    is_synced: bool


@dataclass(frozen=True, slots=True)
class UsedPasskey:
    """What a device says of a passkey that it used."""

    sign_count: int
    is_synced: bool


def creation_options(
    party: RelyingParty, user_id: UUID, email: str, full_name: str, *, challenge: bytes, known: Sequence[bytes]
) -> str:
    """Return the options, in JSON, with which a device makes a passkey, unless it has one of the known ones."""
    from webauthn import generate_registration_options, options_to_json  # noqa: PLC0415 - see the module
    from webauthn.helpers.structs import (  # noqa: PLC0415 - see the module
        AuthenticatorSelectionCriteria,
        PublicKeyCredentialDescriptor,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    options = generate_registration_options(
        rp_id=party.domain,
        rp_name=party.name,
        user_id=user_id.bytes,
        user_name=email,
        user_display_name=full_name,
        challenge=challenge,
        exclude_credentials=[PublicKeyCredentialDescriptor(id=each) for each in known],
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            require_resident_key=True,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
    )
    return options_to_json(options)


def request_options(party: RelyingParty, challenge: bytes) -> str:
    """Return the options, in JSON, with which a device uses a passkey."""
    from webauthn import generate_authentication_options, options_to_json  # noqa: PLC0415 - see the module
    from webauthn.helpers.structs import UserVerificationRequirement  # noqa: PLC0415 - see the module

    return options_to_json(
        generate_authentication_options(
            rp_id=party.domain, challenge=challenge, user_verification=UserVerificationRequirement.REQUIRED
        )
    )


def verify_made(party: RelyingParty, challenge: bytes, credential: str) -> MadePasskey | None:
    """Return the passkey in a device's answer; None if the answer is not right, or the passkey could never be used."""
    from webauthn import verify_registration_response  # noqa: PLC0415 - see the module
    from webauthn.helpers import (  # noqa: PLC0415 - see the module
        decode_credential_public_key,
        decoded_public_key_to_cryptography,
    )
    from webauthn.helpers.structs import AttestationFormat  # noqa: PLC0415 - see the module

    if len(credential) > MAX_CHARACTERS:
        return None
    try:
        made = verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.domain,
            expected_origin=list(party.origins),
            require_user_verification=True,
        )
        decoded_public_key_to_cryptography(decode_credential_public_key(made.credential_public_key))
    except _malformed():
        return None
    if made.fmt != AttestationFormat.NONE or len(made.credential_id) > _MAX_ID_BYTES:
        return None
    return MadePasskey(made.credential_id, made.credential_public_key, made.sign_count, made.credential_backed_up)


def verify_used(
    party: RelyingParty, challenge: bytes, credential: str, *, public_key: bytes, sign_count: int
) -> UsedPasskey | None:
    """Return what a device's answer says of a passkey; None if the answer is not right."""
    from webauthn import verify_authentication_response  # noqa: PLC0415 - see the module

    try:
        used = verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=party.domain,
            expected_origin=list(party.origins),
            credential_public_key=public_key,
            credential_current_sign_count=sign_count,
            require_user_verification=True,
        )
    except _malformed():
        return None
    return UsedPasskey(used.new_sign_count, used.credential_backed_up)


def named_in(credential: str) -> tuple[bytes, bytes | None] | None:
    """Return the ids of the passkey and of the user that a device names; None if it is no credential."""
    if len(credential) > MAX_CHARACTERS:
        return None
    try:
        given = orjson.loads(credential)
        handle = given["response"].get("userHandle")
        return _decoded(given["rawId"]), _decoded(handle) if handle else None
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _malformed() -> tuple[type[Exception], ...]:
    """Return what the library raises for answers that are not right, and for those that devices never send."""
    from webauthn.helpers.exceptions import WebAuthnException  # noqa: PLC0415 - see the module

    return (WebAuthnException, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
