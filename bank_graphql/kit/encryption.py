"""Encrypt data with AES-256-GCM, bound to what it belongs to (its associated data)."""

import secrets

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_NONCE_BYTES = 12


def encrypt(cipher: AESGCM, data: bytes, bound_to: bytes) -> bytes:
    """Return a random nonce and the encrypted data. Only with the same key and `bound_to` can it be decrypted."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, data, bound_to)


def decrypt(cipher: AESGCM, encrypted: bytes, bound_to: bytes) -> bytes:
    """Return the data that `encrypt` encrypted.

    Raises:
        InvalidTag: the key, `bound_to` or the data is another one.
    """
    return cipher.decrypt(encrypted[:_NONCE_BYTES], encrypted[_NONCE_BYTES:], bound_to)
