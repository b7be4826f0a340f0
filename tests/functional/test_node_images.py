"""Images on their way to a node: from the database, through the conductor's messages, into the node's own files."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from support.clocks import Clock
from support.registered import announce, send, sha256

from accel import signing
from accel.agent.images import ImageStore, Reader, Trust
from accel.conductor.images import ImageReader
from accel.db.engine import Database
from accel.errors import (
    AccelError,
    ActRefused,
    ConductorUnavailable,
    DigestMismatch,
    ImageTooLarge,
    KeyNotTrusted,
    SignatureInvalid,
    SignatureMissing,
)
from accel.model.job import ImageOrder
from accel.model.registry import CHUNK_BYTES
from accel.rpc.local import LocalImages

LARGE = os.urandom(2 * CHUNK_BYTES + 17)
PRIVATE = signing.new_private_key()
PUBLIC = signing.public_key_of(PRIVATE)
UNSIGNED = Trust(is_signature_required=False)


class Counting:
    """Reads as another reader does, and knows how often.

    :param then: is called before each part is read
    """

    def __init__(self, reader: Reader, then: Callable[[int], None] = lambda _offset: None) -> None:
        self._reader = reader
        self._then = then
        self.count = 0

    def read_image(self, digest: str, offset: int) -> bytes:
        self.count += 1
        self._then(offset)
        return self._reader.read_image(digest, offset)


@pytest.fixture
def conductor(database: Database) -> Counting:
    return Counting(LocalImages(ImageReader(database)))


def order(database: Database, data: bytes = LARGE, *, is_signed: bool = True, name: str = "blur") -> ImageOrder:
    """The order to load an image that the registry has."""
    clock = Clock()
    send(database, announce(database, clock, name=name), [data], clock)
    found = ImageOrder(digest=f"sha256:{sha256(data)}", size=len(data), name=name)
    if not is_signed:
        return found
    return replace(found, signature=signing.sign(PRIVATE, sha256(data)), public_key=PUBLIC)


def store(directory: Path, reader: Reader, *, trust: Trust | None = None, limit_bytes: int = 64 << 20) -> ImageStore:
    return ImageStore(directory / "images", reader, limit_bytes=limit_bytes, trust=trust or Trust())


def kept(directory: Path) -> list[str]:
    return sorted(path.name for path in (directory / "images").iterdir())


def test_an_image_travels_once_and_is_for_nobody_else_to_read(
    database: Database, conductor: Counting, tmp_path: Path
) -> None:
    wanted, images = order(database), store(tmp_path, conductor)
    first = images.fetch(wanted)

    assert first.read_bytes() == LARGE
    assert (first.stat().st_mode & 0o777, first.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert conductor.count == 3
    assert store(tmp_path, conductor).fetch(wanted) == first
    assert conductor.count == 3


def test_jobs_that_want_the_same_image_at_once_fetch_it_once(
    database: Database, conductor: Counting, tmp_path: Path
) -> None:
    wanted, images = order(database), store(tmp_path, conductor)
    together = threading.Barrier(4)

    def fetch(_number: int) -> Path:
        together.wait()
        return images.fetch(wanted)

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(fetch, range(4)))) == 1
    assert conductor.count == 3


@pytest.mark.parametrize(
    ("change", "trust", "error"),
    [
        ({"signature": "", "public_key": ""}, Trust(), SignatureMissing),
        ({"signature": signing.sign(PRIVATE, "0" * 64)}, Trust(), SignatureInvalid),
        ({"signature": signing.sign(PRIVATE, "0" * 64)}, UNSIGNED, SignatureInvalid),
        ({}, Trust(keys=("iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w=",)), KeyNotTrusted),
    ],
)
def test_what_this_node_does_not_trust_is_not_even_fetched(
    change: dict[str, str],
    trust: Trust,
    error: type[AccelError],
    database: Database,
    conductor: Counting,
    tmp_path: Path,
) -> None:
    with pytest.raises(error):
        store(tmp_path, conductor, trust=trust).fetch(replace(order(database), **change))
    assert conductor.count == 0


def test_where_no_signature_is_required_none_is_needed(database: Database, conductor: Counting, tmp_path: Path) -> None:
    assert store(tmp_path, conductor, trust=UNSIGNED).fetch(order(database, is_signed=False)).read_bytes() == LARGE


def test_a_key_that_is_trusted_here_is_enough(database: Database, conductor: Counting, tmp_path: Path) -> None:
    assert store(tmp_path, conductor, trust=Trust(keys=(PUBLIC,))).fetch(order(database)).exists()


def test_what_was_damaged_here_is_fetched_again(database: Database, conductor: Counting, tmp_path: Path) -> None:
    wanted, images = order(database), store(tmp_path, conductor)
    images.fetch(wanted).write_bytes(b"something else")

    assert images.fetch(wanted).read_bytes() == LARGE
    assert conductor.count == 6


class Lying:
    """A conductor that has other bytes."""

    def read_image(self, _digest: str, offset: int) -> bytes:
        return bytes(min(CHUNK_BYTES, len(LARGE) - offset))


class Shortened:
    """A conductor whose parts are too short."""

    def read_image(self, _digest: str, _offset: int) -> bytes:
        return b"short"


class Away:
    """A conductor that does not answer."""

    def read_image(self, _digest: str, _offset: int) -> bytes:
        raise ConductorUnavailable("nobody answers")


@pytest.mark.parametrize(
    ("reader", "error"), [(Lying(), DigestMismatch), (Shortened(), ActRefused), (Away(), ConductorUnavailable)]
)
def test_what_does_not_come_as_ordered_is_not_kept(
    reader: Reader, error: type[AccelError], database: Database, tmp_path: Path
) -> None:
    with pytest.raises(error):
        store(tmp_path, reader).fetch(order(database))
    assert kept(tmp_path) == []


def test_an_image_that_there_is_not_is_refused(database: Database, conductor: Counting, tmp_path: Path) -> None:
    wanted = replace(order(database), digest=f"sha256:{'0' * 64}", signature=signing.sign(PRIVATE, "0" * 64))
    with pytest.raises(ActRefused, match=r"image blur cannot be fetched: Part of an image not found"):
        store(tmp_path, conductor).fetch(wanted)


def test_what_has_not_been_used_for_longest_goes_but_never_what_is_in_use(
    database: Database, conductor: Counting, tmp_path: Path
) -> None:
    images = store(tmp_path, conductor, limit_bytes=5 << 20, trust=UNSIGNED)
    orders = [order(database, bytes([number]) * (2 << 20), is_signed=False, name=f"n{number}") for number in range(4)]
    paths = [images.fetch(one) for one in orders[:2]]
    for age, path in zip((200, 100), paths, strict=True):
        os.utime(path, (path.stat().st_mtime - age,) * 2)
    images.done_with(orders[1])
    (tmp_path / "images" / f"{'0' * 64}.partial").write_bytes(b"left over")

    third = images.fetch(orders[2])
    assert kept(tmp_path) == sorted([paths[0].name, third.name])  # the first is older, and in use
    images.done_with(orders[0])
    fourth = images.fetch(orders[3])
    assert kept(tmp_path) == sorted([third.name, fourth.name])


def test_an_image_that_is_larger_than_all_that_is_kept_is_refused(
    database: Database, conductor: Counting, tmp_path: Path
) -> None:
    with pytest.raises(ImageTooLarge, match="image_cache_mib"):
        store(tmp_path, conductor, limit_bytes=1 << 20).fetch(order(database))


def test_a_directory_that_cannot_be_written_is_said(database: Database, conductor: Counting, tmp_path: Path) -> None:
    (tmp_path / "images").write_text("in the way")
    with pytest.raises(ActRefused, match="cannot be kept in"):
        store(tmp_path, conductor).fetch(order(database))
