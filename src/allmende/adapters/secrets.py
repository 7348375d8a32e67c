"""Secrets: what is sealed at rest, what signs, and what members hold as keys.

Rule: a provider's key is written down only sealed, a member's key only as its hash, and
the market's own two keys only in files that nobody else may read.
Invariant: a sealed text opens only with the same key file and the same context, so that
one provider's key cannot be put in another's place; nothing here prints a secret.
Worked number: a member's key is "alm_" and 43 characters, 256 bits of chance; its plain
SHA-256 is safe to store because there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from allmende.core.nouns import Market

KEY_BYTES = 32
_NONCE_BYTES = 12
_SEAL = "s1."
_KEY = "alm_"
_SIGNER = "ed25519 signer"


class SecretBroken(Exception):
    """A key file or a sealed text that cannot be used; the text says what to do."""


def new_key() -> tuple[str, str]:
    """A member's new API key: (the secret, shown once; its hash, to be stored)."""
    secret = _KEY + secrets.token_urlsafe(KEY_BYTES)
    return secret, key_hash(secret)


def key_hash(secret: str) -> str:
    """SHA-256 of a key, in hex: what the market knows of it."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Vault:
    """AES-256-GCM under one key. `context` says what the secret is for, and is bound in."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, plaintext: str, context: str) -> str:
        """A text that may be stored, "s1." and base64; different each time."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, plaintext.encode(), context.encode())
        return _SEAL + urlsafe_b64encode(nonce + sealed).decode()

    def open(self, sealed: str, context: str) -> str:
        """What was sealed. Raises SecretBroken: other key, other context, or altered."""
        try:
            raw = urlsafe_b64decode(sealed.removeprefix(_SEAL))
            nonce, rest = raw[:_NONCE_BYTES], raw[_NONCE_BYTES:]
            if not sealed.startswith(_SEAL):
                raise ValueError
            return self._cipher.decrypt(nonce, rest, context.encode()).decode()
        except (ValueError, InvalidTag):
            raise SecretBroken(
                f"the secret for {context!r} does not open: it was altered, or sealed with "
                "another master key"
            ) from None


class Ed25519Signer:
    """ports.Signer. The same seed gives the same signatures, so a fixed one serves tests."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public: bytes = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message)


def open_vault(folder: Path) -> Vault:
    """The vault of a data directory; its master key is made on first use.

    Raises SecretBroken if the file is readable by others, foreign or garbled.
    """
    return Vault(_key_file(folder / "master.key", secrets.token_bytes(KEY_BYTES)))


def open_signer(folder: Path, vault: Vault) -> Ed25519Signer:
    """The market's signer; its seed is made on first use and sealed. Raises SecretBroken."""
    seed = open_sealed(folder / "signer.key", vault, _SIGNER, secrets.token_hex(KEY_BYTES))
    return Ed25519Signer(bytes.fromhex(seed))


def require_own_key(signer: Ed25519Signer, market: Market | None, folder: str) -> None:
    """A market that signed with another key than it was founded with would prove nothing.

    Raises SecretBroken.
    """
    if market is not None and market.public_key != signer.public.hex():
        raise SecretBroken(
            f"signer.key in {folder} is not the key that {market.name} was founded with: put its "
            f"master.key and signer.key into {folder}, from where it ran before."
        )


def open_sealed(path: Path, vault: Vault, context: str, fresh: str) -> str:
    """The secret sealed in a private file, which begins as `fresh`. Raises SecretBroken."""
    return vault.open(_text_file(path, vault.seal(fresh, context)), context)


def _key_file(path: Path, fresh: bytes) -> bytes:
    """The key in a file of hex and checksum: a copy that lost a character is noticed."""
    text = _text_file(path, f"{fresh.hex()} {_checksum(fresh)}")
    digits, _, checksum = text.partition(" ")
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES or checksum != _checksum(key):
        raise SecretBroken(f"{path} is garbled: put back the copy that you keep elsewhere")
    return key


def _checksum(key: bytes) -> str:
    return hashlib.sha256(b"allmende key file" + key).hexdigest()[:8]


def _text_file(path: Path, fresh: str) -> str:
    """The text of a private file, made with `fresh` if there is none. Raises SecretBroken."""
    if not path.exists():
        _create(path, fresh)
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        raise SecretBroken(f"{path} may be read by others (mode {mode:o}): chmod 600 {path}")
    try:
        return path.read_text("ascii").strip()
    except PermissionError:
        raise SecretBroken(f"{path} may not be read by this user") from None
    except UnicodeDecodeError:
        raise SecretBroken(
            f"{path} is garbled: put back the copy that you keep elsewhere"
        ) from None


def _create(path: Path, text: str) -> None:
    """Whole, durable and private from its first moment, or not at all.

    Of two processes that begin at once one makes the file, and both read that one.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
