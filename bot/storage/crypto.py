"""What may not lie open in the database: addresses are encrypted, codes and tokens are kept as keyed hashes."""

from __future__ import annotations

import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from channels.contract import Address

_VERSION = b"\x01"
_NONCE = 12


class WrongKey(Exception):
    """Something was encrypted under another SECRET_KEY, or was tampered with."""


class Secrets:
    """Encrypts and hashes under keys that are derived from SECRET_KEY. Losing that key loses the addresses."""

    def __init__(self, secret_key: str) -> None:
        if len(secret_key) < 16:
            raise ValueError("SECRET_KEY is too short: at least 16 characters, better 64 random ones")
        master = secret_key.encode("utf-8", "surrogateescape")
        self._cipher = AESGCM(self._derive(master, b"sawt: encryption"))
        self._hash_key = self._derive(master, b"sawt: hashes")

    @staticmethod
    def _derive(master: bytes, purpose: bytes) -> bytes:
        return HKDF(SHA256(), length=32, salt=None, info=purpose).derive(master)

    def encrypt(self, plain: str) -> bytes:
        """The text under a fresh nonce: equal texts do not look equal."""
        nonce = os.urandom(_NONCE)
        return _VERSION + nonce + self._cipher.encrypt(nonce, plain.encode("utf-8", "surrogatepass"), _VERSION)

    def decrypt(self, stored: bytes) -> str:
        """What was encrypted; raises WrongKey."""
        version, nonce, sealed = stored[:1], stored[1 : 1 + _NONCE], stored[1 + _NONCE :]
        if version != _VERSION:
            raise WrongKey("this is not something that this house encrypted")
        try:
            return self._cipher.decrypt(nonce, sealed, version).decode("utf-8", "surrogatepass")
        except InvalidTag:
            raise WrongKey("SECRET_KEY is not the one that this database was written with") from None

    def digest(self, value: str, purpose: str = "code") -> str:
        """A keyed hash: the same for the same value and purpose, and of no use without SECRET_KEY."""
        message = f"{purpose}\0{value}".encode("utf-8", "surrogatepass")
        return hmac.new(self._hash_key, message, hashlib.sha256).hexdigest()

    def address_hash(self, address: Address) -> str:
        """What an address is looked up by."""
        return self.digest(f"{address.scheme}\0{address.account}\0{address.identifier}", "address")
