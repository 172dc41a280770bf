"""The private keys that sign our mail, read from PEM files."""

import hashlib
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from digest.errors import SigningError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

RSA: Final = "rsa-sha256"
ED25519: Final = "ed25519-sha256"
SMALLEST_RSA_BITS = 2048


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key, and the selector under which DNS holds its public half.

    `sign` turns a text into its signature, both bytes. `public` is what DNS shows, base64.
    """

    selector: str
    algorithm: Literal["rsa-sha256", "ed25519-sha256"]
    sign: Callable[[bytes], bytes]
    public: str

    @property
    def dns_record(self) -> str:
        """What the TXT record at SELECTOR._domainkey.DOMAIN must hold."""
        return f"v=DKIM1; k={self.algorithm.removesuffix('-sha256')}; p={self.public}"


def load_key(path: Path, selector: str) -> SigningKey:
    """The private key in a PEM file without a passphrase.

    Raises:
        SigningError: the file cannot be read, or holds no RSA key of 2048 bits or more and no
            Ed25519 key; or the extra `dkim` is not installed.
    """
    private = _read(path)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if isinstance(private, Ed25519PrivateKey):
        return _ed25519_key(private, selector)
    if private.key_size < SMALLEST_RSA_BITS:
        raise SigningError(
            f"{path}: found an RSA key of {private.key_size} bits; allowed are {SMALLEST_RSA_BITS} "
            f"or more (RFC 8301). Make one with {_recipe(path)}."
        )
    return _rsa_key(private, selector)


def _read(path: Path) -> "RSAPrivateKey | Ed25519PrivateKey":
    try:
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError as e:
        raise SigningError(
            "Signing needs the library cryptography. Run `pip install 'newsroom-digest[dkim]'`."
        ) from e
    try:
        private = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as e:
        raise SigningError(f"{path}: the DKIM key cannot be read: {e.strerror}.") from e
    except TypeError as e:
        raise SigningError(
            f"{path}: the DKIM key is locked with a passphrase. Write it without one, "
            f"`openssl pkey -in {path} -out {path}.plain`, and guard that file."
        ) from e
    except (ValueError, UnsupportedAlgorithm) as e:
        raise SigningError(
            f"{path}: found no private key in PEM form. Make one with {_recipe(path)}."
        ) from e
    if isinstance(private, (RSAPrivateKey, Ed25519PrivateKey)):
        return private
    raise SigningError(
        f"{path}: found a key of another kind ({type(private).__name__.removesuffix('PrivateKey')}); "
        f"a DKIM key is RSA or Ed25519. Make one with {_recipe(path)}."
    )


def _recipe(path: Path) -> str:
    return f"`openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out {path}`"


def _rsa_key(private: "RSAPrivateKey", selector: str) -> SigningKey:
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    padding, algorithm = PKCS1v15(), SHA256()

    def sign(text: bytes) -> bytes:
        return private.sign(text, padding, algorithm)

    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return SigningKey(selector, RSA, sign, b64encode(public).decode("ascii"))


def _ed25519_key(private: "Ed25519PrivateKey", selector: str) -> SigningKey:
    def sign(text: bytes) -> bytes:
        # RFC 8463 §3: the key signs the SHA-256 hash, not the text.
        return private.sign(hashlib.sha256(text).digest())

    public = private.public_key().public_bytes_raw()
    return SigningKey(selector, ED25519, sign, b64encode(public).decode("ascii"))
