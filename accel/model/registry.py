"""The registry of images: what is kept to be loaded into programmable devices, whose it is, and what is right in it.

An image is known by the digest of its bytes. Its signature is a statement about that digest, by a key that its project
has registered: :func:`statement` is what is signed. Whoever holds a digest and a file can check both anywhere.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from accel.errors import InvalidValue
from accel.model.image import ImageFormat, ImageHeader, ImagePurpose, normal_id
from accel.model.profile import MAX_NAME_LENGTH, shortened

CHUNK_BYTES = 1 << 20
"""Images are kept and carried in parts of so many bytes; only the last part of an image may be shorter."""

DIGEST_PREFIX = "sha256:"
"""What stands before a digest where several kinds of digests are told apart."""

MOST_PROJECTS = 100
"""With so many projects an image can be shared; what is for more is public."""

MOST_IDS = 100
"""So many regions an image may be for, and so many functions it may have."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*", re.ASCII)
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})", re.ASCII)
_PEM = "-----BEGIN PUBLIC KEY-----"
_ED25519 = bytes.fromhex("302a300506032b6570032100")
"""What stands before the bytes of a public key and says that it is one of Ed25519: RFC 8410, section 4."""
_PUBLIC_KEY_BYTES = 32
_SIGNATURE_BYTES = 64


class ImageKind(StrEnum):
    """What an image is a file of."""

    GBS = "gbs"
    """Intel's green bitstream: its header says for which regions it is, and what its functions are."""
    XCLBIN = "xclbin"
    """Xilinx' (AMD's) container, whose header says the same."""
    RAW = "raw"
    """Another one: what is known of it is what its owner says."""


class ImageState(StrEnum):
    """How far the bytes of an image are."""

    AWAITING = "awaiting"
    """Nobody has sent them yet."""
    FETCHING = "fetching"
    """A conductor gets them from where it was told."""
    READY = "ready"
    """They are here, and are what was announced."""
    FAILED = "failed"
    """They could not be had; the reason says why."""


class ImageSource(StrEnum):
    """Where the bytes of an image come from."""

    UPLOAD = "upload"
    """Whoever has made the image sends them."""
    URL = "url"
    GLANCE = "glance"


class Visibility(StrEnum):
    """Who sees an image, beside its own project and administrators."""

    PRIVATE = "private"
    SHARED = "shared"
    """The projects that it is shared with."""
    PUBLIC = "public"
    """Every project."""


class SignatureState(StrEnum):
    """What there is to say of the signature of an image."""

    MISSING = "missing"
    VALID = "valid"
    """A key of its project has made it, and that key is good."""
    REVOKED = "revoked"
    """The key that has made it is good no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of an image beside its bytes; what is empty is not known."""

    kind: ImageKind | None = None
    vendor: str = ""
    """The PCI vendor id of the cards that it is for."""
    platform: str = ""
    """The board or shell that it was built for, by name."""
    purpose: ImagePurpose = ImagePurpose.UNKNOWN
    region_ids: tuple[str, ...] = ()
    """For which regions it was built: one of these is the region's. 32 hex digits each."""
    function_ids: tuple[str, ...] = ()
    """What a region has once it is loaded. 32 hex digits each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewImage:
    """An image as somebody announces it."""

    uuid: str
    project_id: str
    name: str
    version: str
    """In the words of whoever has made it; a project has one image of a name for each. Empty for none."""
    facts: Facts
    visibility: Visibility
    projects: tuple[str, ...]
    """Those that it is shared with."""
    source: ImageSource
    source_ref: str
    """The URL, or the id in Glance."""
    digest: str
    """SHA-256 of the bytes, 64 hex digits; empty where it is not known before they are here."""
    size_bytes: int | None
    """None: not known before they are here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A public key as somebody registers it."""

    uuid: str
    project_id: str
    name: str
    public_key: str
    """Base64 of its 32 bytes."""


def statement(digest: str) -> bytes:
    """What is signed: one line that names the digest, so that a signature is of use for nothing else.

    :param digest: 64 hex digits of lower case
    """
    return f"accel image {DIGEST_PREFIX}{digest}\n".encode()


def check_name(name: str, *, field: str = "name") -> str:
    """The name, if an image or a key can have it.

    :raises InvalidValue: it cannot
    """
    if len(name) > MAX_NAME_LENGTH or not _NAME.fullmatch(name):
        expected = f"1 to {MAX_NAME_LENGTH} letters, digits, ., _, + and -, of which the first is a letter or digit"
        raise InvalidValue(field, shortened(name), expected)
    return name


def check_version(version: str) -> str:
    """The version of an image, which may be empty.

    :raises InvalidValue: it is none
    """
    return check_name(version, field="version") if version else ""


def read_digest(text: str, *, field: str = "digest") -> str:
    """A SHA-256 in 64 hex digits of lower case, from one with or without ``sha256:`` before it.

    :raises InvalidValue: it is none
    """
    match = _DIGEST.fullmatch(text)
    if match is None:
        raise InvalidValue(field, shortened(text), "a SHA-256 of 64 hex digits, as sha256sum writes it")
    return match[1].lower()


def read_ids(texts: Iterable[str], *, field: str) -> tuple[str, ...]:
    """Ids of regions or functions, in the form in which they are compared.

    :raises InvalidValue: one of them is none, or they are too many
    """
    given = list(texts)
    if len(given) > MOST_IDS:
        raise InvalidValue(field, f"{len(given)} ids", f"{MOST_IDS} at most")
    for number, text in enumerate(given):
        if not normal_id(text):
            raise InvalidValue(f"{field}[{number}]", shortened(text), "a uuid that is not all zeros")
    return tuple(dict.fromkeys(map(normal_id, given)))


def read_public_key(text: str) -> str:
    """A public key in base64, from that or from PEM.

    :raises InvalidValue: it is no key of Ed25519
    """
    lines = text.split()
    is_pem = text.strip().startswith(_PEM)
    prefix = _ED25519 if is_pem else b""
    found = _decoded("".join(lines[3:-3]) if is_pem else text.strip())
    if found is None or len(found) != len(prefix) + _PUBLIC_KEY_BYTES or not found.startswith(prefix):
        expected = "a public key of Ed25519: the PEM that openssl writes, or the base64 of its 32 bytes"
        raise InvalidValue("public_key", shortened(text), expected)
    return base64.b64encode(found[len(prefix) :]).decode()


def read_signature(text: str) -> str:
    """A signature in base64.

    :raises InvalidValue: it cannot be one of Ed25519
    """
    found = _decoded(text.strip())
    if found is None or len(found) != _SIGNATURE_BYTES:
        raise InvalidValue("signature", shortened(text), f"the base64 of the {_SIGNATURE_BYTES} bytes of a signature")
    return base64.b64encode(found).decode()


def check_projects(visibility: Visibility, projects: Iterable[str]) -> tuple[str, ...]:
    """The projects that an image is shared with, in their order.

    :raises InvalidValue: there are some although it is not shared, none although it is, or too many
    """
    found = tuple(sorted(set(projects)))
    if bool(found) != (visibility is Visibility.SHARED):
        raise InvalidValue(
            "projects",
            list(found[:10]),
            f"right with visibility {visibility}: {Visibility.SHARED} needs some, others have none",
        )
    if len(found) > MOST_PROJECTS:
        raise InvalidValue("projects", f"{len(found)} projects", f"{MOST_PROJECTS} at most: what is for more is public")
    return found


def agreed(announced: Facts, header: ImageHeader) -> Facts:
    """What is known of an image once its bytes are here: what they say, and what was announced where they do not.

    :raises InvalidValue: they say something else than was announced
    """
    said = _said(header)
    for name in ("kind", "vendor", "platform"):
        ours, theirs = getattr(announced, name), getattr(said, name)
        if ours and theirs and ours != theirs:
            raise InvalidValue(name, str(ours), f"what the header of the image says: {theirs}")
    for name in ("region_ids", "function_ids"):
        ours, theirs = getattr(announced, name), getattr(said, name)
        if theirs and not set(ours) <= set(theirs):
            raise InvalidValue(name, ", ".join(ours), f"what the header of the image says: {', '.join(theirs)}")
    return Facts(
        kind=said.kind,
        vendor=said.vendor or announced.vendor,
        platform=said.platform or announced.platform,
        purpose=said.purpose,
        region_ids=said.region_ids or announced.region_ids,
        function_ids=said.function_ids or announced.function_ids,
    )


def _said(header: ImageHeader) -> Facts:
    is_known = header.format is not ImageFormat.UNKNOWN
    return Facts(
        kind=ImageKind(header.format) if is_known else ImageKind.RAW,
        vendor=header.vendor,
        platform=header.platform[:MAX_NAME_LENGTH],
        purpose=header.purpose,
        region_ids=header.interface_ids[:MOST_IDS],
        function_ids=header.function_ids[:MOST_IDS],
    )


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
