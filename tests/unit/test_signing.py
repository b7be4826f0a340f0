"""Signatures of images: what is checked before one is loaded, and what anybody can check with openssl."""

import base64
import hashlib
import subprocess
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest

from accel import signing
from accel.errors import DigestMismatch, InvalidValue, KeyNotTrusted, SignatureInvalid, SignatureMissing
from accel.model.job import ImageOrder
from accel.model.registry import read_public_key, read_signature, statement

CONTENT = b"some bits"
DIGEST = hashlib.sha256(CONTENT).hexdigest()
PRIVATE, FOREIGN = signing.new_private_key(), signing.new_private_key()
PUBLIC = signing.public_key_of(PRIVATE)
SIGNED = ImageOrder(
    digest=f"sha256:{DIGEST}",
    size=len(CONTENT),
    name="blur 1.0",
    signature=signing.sign(PRIVATE, DIGEST),
    public_key=PUBLIC,
)
UNSIGNED = replace(SIGNED, signature="", public_key="")
BY_ANOTHER = replace(SIGNED, signature=signing.sign(FOREIGN, DIGEST))
OF_ANOTHER = replace(SIGNED, signature=signing.sign(PRIVATE, "0" * 64))


@pytest.mark.parametrize("trusted", [(), (PUBLIC,), (signing.public_key_of(FOREIGN), PUBLIC)])
def test_what_is_signed_by_a_trusted_key_may_be_loaded(trusted: Collection[str]) -> None:
    signing.check_order(SIGNED, trusted_keys=trusted)


@pytest.mark.parametrize(
    ("order", "trusted", "error"),
    [
        (UNSIGNED, (), SignatureMissing),
        (BY_ANOTHER, (), SignatureInvalid),
        (OF_ANOTHER, (), SignatureInvalid),
        (replace(SIGNED, signature="AAAA"), (), SignatureInvalid),
        (replace(SIGNED, signature="no base64!"), (), SignatureInvalid),
        (replace(SIGNED, public_key=""), (), SignatureInvalid),
        (SIGNED, (signing.public_key_of(FOREIGN),), KeyNotTrusted),
    ],
)
def test_anything_else_may_not(order: ImageOrder, trusted: Collection[str], error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^image blur 1\.0"):
        signing.check_order(order, trusted_keys=trusted)


def test_where_no_signature_is_required_a_wrong_one_is_still_wrong() -> None:
    signing.check_order(UNSIGNED, is_required=False)
    with pytest.raises(SignatureInvalid):
        signing.check_order(BY_ANOTHER, is_required=False)


def test_where_keys_are_trusted_a_signature_is_required() -> None:
    with pytest.raises(SignatureMissing):
        signing.check_order(UNSIGNED, is_required=False, trusted_keys=(PUBLIC,))


def test_a_file_must_have_the_bytes_of_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(CONTENT)
    signing.check_digest("blur", expected=DIGEST, found=signing.digest_of(path))
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(DigestMismatch, match="blur"):
        signing.check_digest("blur", expected=DIGEST, found=signing.digest_of(path))


def test_openssl_makes_keys_and_signatures_that_we_take(tmp_path: Path) -> None:
    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, cwd=tmp_path, capture_output=True)

    openssl("genpkey", "-algorithm", "ed25519", "-out", "private.pem")
    openssl("pkey", "-in", "private.pem", "-pubout", "-out", "public.pem")
    (tmp_path / "statement").write_bytes(f"accel image sha256:{DIGEST}\n".encode())
    openssl("pkeyutl", "-sign", "-rawin", "-inkey", "private.pem", "-in", "statement", "-out", "signature")

    public = read_public_key((tmp_path / "public.pem").read_text())
    signature = base64.b64encode((tmp_path / "signature").read_bytes()).decode()
    assert public == signing.public_key_of((tmp_path / "private.pem").read_bytes())
    assert signing.is_signed_by(public, digest=DIGEST, signature=read_signature(signature))
    assert statement(DIGEST) == (tmp_path / "statement").read_bytes()


def test_what_is_no_private_key_of_ours_signs_nothing(tmp_path: Path) -> None:
    other = tmp_path / "rsa.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "rsa", "-out", str(other)], check=True, capture_output=True)
    for text, why in ((b"no key", "a private key in PEM"), (other.read_bytes(), "Ed25519")):
        with pytest.raises(InvalidValue, match=why):
            signing.sign(text, DIGEST)
