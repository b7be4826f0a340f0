"""Signatures of images: Ed25519, as RFC 8032 has it. The one place that signs and checks.

It is a foreign library's work, imported when something is signed or checked: a node that programs nothing, and a
command line that lists devices, do without.
"""

import base64
import hashlib
from collections.abc import Collection
from pathlib import Path

from accel.errors import DigestMismatch, InvalidValue, KeyNotTrusted, SignatureInvalid, SignatureMissing
from accel.model.job import ImageOrder
from accel.model.registry import DIGEST_PREFIX, statement


def is_signed_by(public_key: str, *, digest: str, signature: str) -> bool:
    """Whether a key has made a signature of a digest.

    :param public_key: base64 of its 32 bytes
    :param digest: 64 hex digits
    :param signature: base64 of its 64 bytes
    """
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - see the module's docstring
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - the same

    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key))
        key.verify(base64.b64decode(signature), statement(digest))
    except (InvalidSignature, ValueError):
        return False
    return True


def check_order(order: ImageOrder, *, is_required: bool = True, trusted_keys: Collection[str] = ()) -> None:
    """Make sure that an image may be loaded by what is said of it. Its bytes are another matter: :func:`check_digest`.

    :param is_required: whether it must be signed
    :param trusted_keys: in base64; where there are any, it must be signed by one of these
    :raises SignatureMissing: it is not signed, and must be
    :raises SignatureInvalid: its signature is not of this digest by this key
    :raises KeyNotTrusted: the key is none of the trusted ones
    """
    if not order.signature:
        if is_required or trusted_keys:
            raise SignatureMissing(f"image {order.name} is not signed, and only signed images are loaded")
        return
    check_signature(order)
    if trusted_keys and order.public_key not in trusted_keys:
        raise KeyNotTrusted(
            f"image {order.name} is signed with {order.public_key}, which is none of [agent] trusted_image_keys here"
        )


def check_signature(order: ImageOrder) -> None:
    """Make sure that the key of an order has made its signature.

    :raises SignatureInvalid: it has not
    """
    digest = order.digest.removeprefix(DIGEST_PREFIX)
    if not is_signed_by(order.public_key, digest=digest, signature=order.signature):
        raise SignatureInvalid(f"image {order.name}: its signature is not of these bytes by the key {order.public_key}")


def check_digest(name: str, *, expected: str, found: str) -> None:
    """Make sure that two digests are the same.

    :raises DigestMismatch: they are not
    """
    if found != expected:
        raise DigestMismatch(f"image {name}: its bytes have the SHA-256 {found}, not {expected}: others, or damaged")


def digest_of(path: Path) -> str:
    """SHA-256 of the bytes of a file, in hex.

    :raises OSError: it cannot be read
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sign(private_key: bytes, digest: str) -> str:
    """A signature of a digest, in base64.

    :param private_key: PKCS #8 in PEM, without a password
    :raises InvalidValue: it is no such key
    """
    return base64.b64encode(_private(private_key).sign(statement(digest))).decode()


def public_key_of(private_key: bytes) -> str:
    """The public key that belongs to a private one, in base64; raises what ``sign`` raises."""
    return base64.b64encode(_private(private_key).public_key().public_bytes_raw()).decode()


def new_private_key() -> bytes:
    """A new private key: PKCS #8 in PEM, without a password."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - see the docstring
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - see the module's docstring
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _private(text: bytes):  # type: ignore[no-untyped-def]  # noqa: ANN202 - the type is imported inside
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - see the module's docstring
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - the same
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - the same

    try:
        key = load_pem_private_key(text, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidValue("private key", "the file", f"a private key in PEM without a password: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        expected = "one of Ed25519: openssl genpkey -algorithm ed25519"
        raise InvalidValue("private key", type(key).__name__.strip("_"), expected)
    return key
