"""The images that this node has fetched, kept by their digests: what is loaded twice travels once.

What is fetched is checked before a job gets it, and again whenever it is taken out of here: the order names digest,
signature and key, and this node may trust fewer keys than the control plane does. What has not been used for longest
goes when there is too much, but never what a job works with.
"""

import hashlib
import logging
import os
import threading
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from accel import signing
from accel.errors import AccelError, ActRefused, ImageTooLarge, InvalidValue, Unavailable
from accel.model.job import ImageOrder
from accel.model.registry import CHUNK_BYTES, DIGEST_PREFIX, read_digest

_LOG = logging.getLogger(__name__)
_PARTIAL = ".partial"


class Reader(Protocol):
    """Where images come from: a conductor."""

    def read_image(self, digest: str, offset: int) -> bytes:
        """The part of an image that begins at an offset, which is a multiple of ``CHUNK_BYTES``.

        :raises AccelError: it is not to be had now, or there is none
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Which images this node loads."""

    is_signature_required: bool = True
    keys: Collection[str] = ()
    """Public keys in base64; where there are any, no others are trusted."""


class ImageStore:
    """The images of a node, as its jobs want them. Any number of threads may use it at once.

    :param directory: made when it is not there
    :param limit_bytes: so much is kept; an image that is larger is not taken
    """

    def __init__(self, directory: Path, reader: Reader, *, limit_bytes: int, trust: Trust) -> None:
        self._directory = directory
        self._reader = reader
        self._limit_bytes = limit_bytes
        self._trust = trust
        self._changed = threading.Condition()
        self._arriving: set[str] = set()
        self._used: Counter[str] = Counter()

    def fetch(self, image: ImageOrder) -> Path:
        """A file with the image, whose digest and signature are right; it stays until ``done_with`` is called for it.

        :raises ImageRefused: it is not signed, or not by a key that is trusted here, or its bytes are others
        :raises ImageTooLarge: it is larger than all that is kept here
        :raises ActRefused: this node cannot keep it
        :raises Unavailable: nobody answers who has it
        """
        signing.check_order(image, is_required=self._trust.is_signature_required, trusted_keys=self._trust.keys)
        digest = read_digest(image.digest)
        if image.size > self._limit_bytes:
            raise ImageTooLarge(
                "image", f"{image.size} bytes", f"at most the {self._limit_bytes} of [agent] image_cache_mib"
            )
        with self._changed:
            self._changed.wait_for(lambda: digest not in self._arriving)
            self._arriving.add(digest)
            self._used[digest] += 1
        try:
            return self._fetched(image, digest)
        except BaseException:
            self._unuse(digest)
            raise
        finally:
            with self._changed:
                self._arriving.discard(digest)
                self._changed.notify_all()

    def done_with(self, image: ImageOrder) -> None:
        """Let an image go that was fetched."""
        self._unuse(read_digest(image.digest))

    def _unuse(self, digest: str) -> None:
        with self._changed:
            self._used[digest] -= 1
            if self._used[digest] <= 0:
                del self._used[digest]

    def _fetched(self, image: ImageOrder, digest: str) -> Path:
        path = self._directory / digest
        try:
            if path.exists():
                if signing.digest_of(path) == digest:
                    os.utime(path)  # it counts as used now
                    return path
                _LOG.error("%s is damaged and fetched again", path)
                path.unlink()
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make_room(image.size)
            self._read(image, digest, path)
        except OSError as error:
            raise ActRefused(f"image {image.name} cannot be kept in {self._directory}: {error}") from error
        return path

    def _read(self, image: ImageOrder, digest: str, path: Path) -> None:
        arriving = path.with_name(f"{digest}{_PARTIAL}")
        try:
            with os.fdopen(os.open(arriving, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                found = self._copy(image, file)
            signing.check_digest(image.name, expected=digest, found=found)
            arriving.replace(path)
        finally:
            arriving.unlink(missing_ok=True)

    def _copy(self, image: ImageOrder, file: BinaryIO) -> str:
        found = hashlib.sha256()
        for offset in range(0, image.size, CHUNK_BYTES):
            part = self._part(image, offset)
            found.update(part)
            file.write(part)
        return found.hexdigest()

    def _part(self, image: ImageOrder, offset: int) -> bytes:
        try:
            part = self._reader.read_image(image.digest.removeprefix(DIGEST_PREFIX), offset)
        except (Unavailable, InvalidValue):
            raise
        except AccelError as error:
            raise ActRefused(f"image {image.name} cannot be fetched: {error}") from error
        wanted = min(CHUNK_BYTES, image.size - offset)
        if len(part) != wanted:
            raise ActRefused(f"image {image.name} cannot be fetched: {len(part)} bytes came of {wanted} at {offset}")
        return part

    def _make_room(self, wanted: int) -> None:
        """Drop what has not been used for longest, as much as needed; what an earlier run has left half goes first."""
        with self._changed:
            kept = [path for path in self._directory.iterdir() if path.is_file()]
            for path in kept:
                if path.suffix == _PARTIAL and path.stem not in self._arriving:
                    path.unlink(missing_ok=True)
            idle = sorted(
                (path for path in kept if path.suffix != _PARTIAL and not self._used[path.name]),
                key=lambda path: path.stat().st_mtime,
            )
            total = sum(path.stat().st_size for path in kept if path.exists())
            while idle and total + wanted > self._limit_bytes:
                oldest = idle.pop(0)
                total -= oldest.stat().st_size
                oldest.unlink()
