"""Where an image is that somebody adds: a file, a layout of the Open Container Initiative, a URL, Glance.

A layout is a directory as the OCI's image layout specification 1.1 has it: ``index.json`` names manifests, a manifest
names layers, and each of them lies below ``blobs`` under its digest. An image here is one layer, as it is: what tools
such as ``oras`` make of one file.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from accel.cli.errors import WrongUse
from accel.errors import InvalidValue
from accel.model import registry
from accel.model.profile import MAX_NAME_LENGTH

_READ_BYTES = 1 << 20
_OCI, _GLANCE = "oci:", "glance:"
_TAG = "org.opencontainers.image.ref.name"
_TITLE = "org.opencontainers.image.title"
_VERSION = "org.opencontainers.image.version"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_ARCHIVE = re.compile(r".*[.+](tar|gzip|zstd)$")
_NOT_OF_NAMES = re.compile(r"[^A-Za-z0-9._+-]+")
_LARGEST_DOCUMENT = 4 << 20

Show = Callable[[int, int], None]
"""Is told how much is done of how much."""


@dataclass(frozen=True, slots=True)
class Source:
    """An image before it is added."""

    name: str
    members: Mapping[str, Any]
    """What the API is told of it."""
    path: Path | None = None
    """The file to send; None: the server fetches it."""
    digest: str = ""


def find(text: str, *, digest: str | None, progress: Show) -> Source:
    """What somebody means by a source.

    :param digest: what it must have
    :raises WrongUse: it is nowhere, or another one
    """
    if text.startswith(("http://", "https://")):
        if not digest:
            raise WrongUse("--digest: needed for a URL, so that what is fetched is what you mean; sha256sum writes it")
        members = {"source": "url", "source_ref": text, "digest": digest}
        return Source(_named(Path(urlsplit(text).path).name or "image"), members, digest=_checked(digest))
    if text.startswith(_GLANCE):
        members = {"source": "glance", "source_ref": text.removeprefix(_GLANCE)}
        return Source("image", members | ({"digest": digest} if digest else {}), digest=digest or "")
    if text.startswith(_OCI):
        return _of_layout(text.removeprefix(_OCI), digest, progress)
    return _of_file(Path(text), _named(Path(text).name), digest, progress)


def read(path: Path) -> bytes:
    """What is in a small file.

    :raises WrongUse: it cannot be read
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise WrongUse(f"{path}: cannot be read: {error.strerror}") from error


def public_key(path: Path) -> str:
    """The public key in a file.

    :raises WrongUse: there is none in it
    """
    try:
        return registry.read_public_key(read(path).decode("ascii", errors="replace"))
    except InvalidValue as error:
        raise WrongUse(f"{path}: {error}") from error


def digest_of(path: Path, progress: Show) -> str:
    """SHA-256 of a file, in hex.

    :raises WrongUse: it cannot be read
    """
    try:
        with path.open("rb") as file:
            return digest_of_parts(iter(lambda: file.read(_READ_BYTES), b""), path.stat().st_size, progress)
    except OSError as error:
        raise WrongUse(f"{path}: cannot be read: {error.strerror}") from error


def digest_of_parts(parts: Iterable[bytes], size: int, progress: Show) -> str:
    """SHA-256 of bytes that come in parts, in hex."""
    found, done = hashlib.sha256(), 0
    for part in parts:
        found.update(part)
        done += len(part)
        progress(done, size)
    return found.hexdigest()


def _of_file(path: Path, name: str, digest: str | None, progress: Show) -> Source:
    found = digest_of(path, progress)
    if digest and _checked(digest) != found:
        raise WrongUse(f"--digest: {path} has the SHA-256 {found}")
    size = path.stat().st_size
    if not size:
        raise WrongUse(f"{path}: is empty")
    return Source(name, {"digest": found, "size_bytes": size}, path, found)


def _of_layout(text: str, digest: str | None, progress: Show) -> Source:
    directory, colon, tag = text.rpartition(":")
    root = Path(directory if colon else text)
    manifest_of = _chosen(root, _document(root / "index.json").get("manifests"), tag if colon else "")
    manifest = _document(_blob(root, manifest_of))
    layer = _layer(root, manifest.get("layers"))
    notes: dict[str, str] = {**_annotations(manifest), **_annotations(layer)}
    blob = _blob(root, layer)
    source = _of_file(blob, _named(notes.get(_TITLE, root.name)), digest, progress)
    if f"sha256:{source.digest}" != layer["digest"]:
        raise WrongUse(f"{blob}: is damaged: its SHA-256 is {source.digest}")
    version = notes.get(_VERSION, "")
    return Source(source.name, {**source.members, **({"version": version} if version else {})}, blob, source.digest)


def _chosen(root: Path, manifests: Any, tag: str) -> Mapping[str, Any]:
    found = [one for one in manifests or () if isinstance(one, dict)] if isinstance(manifests, list) else []
    tags = [str(_annotations(one).get(_TAG, "")) for one in found]
    wanted = [one for one, of in zip(found, tags, strict=True) if not tag or of == tag]
    if len(wanted) != 1:
        known = ", ".join(filter(None, tags)) or "none with a tag"
        raise WrongUse(f"{root}: say which image, as oci:{root}:TAG; there are {len(found)}: {known}")
    return wanted[0]


def _layer(root: Path, layers: Any) -> Mapping[str, Any]:
    found = [one for one in layers or () if isinstance(one, dict)] if isinstance(layers, list) else []
    if len(found) != 1:
        raise WrongUse(f"{root}: the image has {len(found)} layers; here it is one, the file as it is")
    kind = str(found[0].get("mediaType", ""))
    if _ARCHIVE.fullmatch(kind):
        raise WrongUse(f"{root}: its layer is an archive ({kind}), and must be the file as it is: oras push makes one")
    return found[0]


def _document(path: Path) -> Mapping[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_DOCUMENT:
            raise WrongUse(f"{path}: has more than 4 MiB, which no document of a layout has")
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise WrongUse(f"{path}: cannot be read: {error.strerror}; an OCI layout has it") from error
    except (ValueError, RecursionError) as error:
        raise WrongUse(f"{path}: is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise WrongUse(f"{path}: is no JSON object")
    return found


def _blob(root: Path, described: Mapping[str, Any]) -> Path:
    digest = str(described.get("digest", ""))
    if not _DIGEST.fullmatch(digest):
        raise WrongUse(f"{root}: {digest or 'nothing'!r} is no digest by SHA-256")
    return root / "blobs" / "sha256" / digest.removeprefix("sha256:")


def _annotations(thing: Mapping[str, Any]) -> dict[str, str]:
    found = thing.get("annotations")
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _named(text: str) -> str:
    """A name that an image can have, made of a file's."""
    stem = Path(text).stem or text
    return _NOT_OF_NAMES.sub("-", stem).strip("-._+")[:MAX_NAME_LENGTH] or "image"


def _checked(digest: str) -> str:
    try:
        return registry.read_digest(digest, field="--digest")
    except InvalidValue as error:
        raise WrongUse(str(error)) from error
