"""The bytes of an image on their way through the API: streamed, whole or not at all, as large as they may be."""

import gc
import hashlib
import os
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import requests
import webob
from sqlalchemy import func, select
from support.api import NEWEST, Client, client
from support.inventory import Inventory
from support.served import served

from accel import signing
from accel.db.engine import Database
from accel.db.image_tables import ImageChunk, ImageContent

BYTES = os.urandom((5 << 20) + 7)
DIGEST = hashlib.sha256(BYTES).hexdigest()
SENT = NEWEST | {"Content-Type": "application/octet-stream"}


class Watched:
    """A body that is read, and how much of it at once."""

    def __init__(self, data: bytes) -> None:
        self._data = BytesIO(data)
        self.largest = 0

    def read(self, size: int = -1) -> bytes:
        data = self._data.read(size)
        self.largest = max(self.largest, len(data))
        return data


class Broken:
    """A body whose sender goes away."""

    def read(self, size: int = -1) -> bytes:
        raise ConnectionResetError(f"the peer is gone, {size} bytes were wanted")


@pytest.fixture
def api(database: Database) -> Client:
    return client(database)


def announced(api: Client, **more: Any) -> str:
    new = {"name": "blur", "digest": DIGEST, "size_bytes": len(BYTES), **more}
    made = api.send("POST", "/v2/images", new, **NEWEST)
    assert made.status_int == 201, made.text
    return str(made.json["uuid"])


def put(api: Client, uuid: str, source: object, length: int | None) -> webob.Response:
    environ = {"wsgi.input": source, "wsgi.input_terminated": length is None}
    if length is not None:
        environ["CONTENT_LENGTH"] = str(length)
    return api.request("PUT", f"/v2/images/{uuid}/content", headers=SENT, environ=environ)


def kept(database: Database) -> list[int]:
    with database.reader() as connection:
        tables = (ImageContent, ImageChunk)
        return [connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables]


@pytest.mark.parametrize("length", [len(BYTES), None], ids=["announced", "chunked"])
def test_bytes_are_never_in_memory_as_a_whole(length: int | None, api: Client, database: Database) -> None:
    uuid, body = announced(api), Watched(BYTES)
    answer = put(api, uuid, body, length)

    assert (answer.status_int, answer.json["state"]) == (200, "ready")
    assert body.largest == 1 << 20
    read = api.request("GET", f"/v2/images/{uuid}/content", headers=NEWEST)
    assert (read.content_type, read.content_length) == ("application/octet-stream", len(BYTES))
    assert read.body == BYTES
    assert kept(database) == [1, 6]


@pytest.mark.parametrize(
    ("source", "length", "status"),
    [
        (Watched(BYTES[:-1]), len(BYTES), 400),
        (Watched(BYTES[:-1]), None, 400),
        (Watched(BYTES + b"x"), None, 400),
        (Watched(BYTES + b"x"), len(BYTES) + 1, 400),
        (Watched(b""), 0, 400),
        (Watched(bytes(len(BYTES))), len(BYTES), 409),
        (Broken(), len(BYTES), 400),
    ],
    ids=["truncated", "chunked and truncated", "chunked and more", "more", "none", "others", "gone"],
)
def test_what_is_not_whole_leaves_nothing_and_can_be_sent_again(
    source: object, length: int | None, status: int, api: Client, database: Database
) -> None:
    uuid = announced(api)
    assert put(api, uuid, source, length).status_int == status
    assert kept(database) == [0, 0]
    assert put(api, uuid, Watched(BYTES), len(BYTES)).status_int == 200


def test_what_is_too_large_is_refused_before_it_is_read(database: Database, tmp_path: Path) -> None:
    config = tmp_path / "accel.conf"
    config.write_text("[images]\nmax_size_mib = 6\n")
    api = client(database, "--config-file", str(config))
    uuid, body = announced(api), Watched(bytes(7 << 20))
    answer = put(api, uuid, body, 7 << 20)

    assert (answer.status_int, answer.json["code"], body.largest) == (413, "accel.image_too_large", 0)
    refused = api.send("POST", "/v2/images", {"name": "a", "digest": DIGEST, "size_bytes": 7 << 20}, **NEWEST)
    assert refused.status_int == 413


def test_a_url_is_taken_where_its_host_is_allowed(database: Database, tmp_path: Path) -> None:
    config = tmp_path / "accel.conf"
    config.write_text("[images]\nurl_hosts = example.org\n")
    api = client(database, "--config-file", str(config))
    new = {"name": "blur", "digest": DIGEST, "source": "url", "source_ref": "https://example.org/blur.gbs"}
    made = api.send("POST", "/v2/images", new, **NEWEST)
    assert (made.status_int, made.json["state"], made.json["source_ref"]) == (201, "fetching", new["source_ref"])
    assert put(api, made.json["uuid"], Watched(BYTES), len(BYTES)).status_int == 409
    other = api.send("POST", "/v2/images", new | {"source_ref": "https://evil.org/a", "name": "b"}, **NEWEST)
    assert (other.status_int, "url_hosts" in other.json["detail"]) == (400, True)


def test_an_image_that_a_job_loads_is_not_deleted(api: Client, database: Database) -> None:
    uuid = announced(api)
    inventory = Inventory(database, first=1000)
    device = inventory.device(inventory.node())
    job = inventory.job(device, kind="program", image={"name": "blur", "metadata": {"uuid": uuid}})
    refused = api.request("DELETE", f"/v2/images/{uuid}", headers=NEWEST)
    assert (refused.status_int, f"in use by job {job['uuid']}" in refused.json["detail"]) == (409, True)


def test_a_job_is_not_done_again_with_an_image_whose_key_is_revoked_or_that_is_gone(
    api: Client, database: Database
) -> None:
    private = signing.new_private_key()
    new = {"name": "release", "public_key": signing.public_key_of(private)}
    key = api.send("POST", "/v2/image_keys", new, **NEWEST).json["uuid"]
    uuid = announced(api, signature=signing.sign(private, DIGEST))
    put(api, uuid, Watched(BYTES), len(BYTES))
    inventory = Inventory(database, first=1000)
    device = inventory.device(inventory.node())
    order = {"name": "blur", "digest": f"sha256:{DIGEST}", "size": 1, "signature": "s", "metadata": {"uuid": uuid}}
    job = inventory.job(device, kind="program", state="failed", image=order)["uuid"]

    api.request("POST", f"/v2/image_keys/{key}/revoke", headers=NEWEST)
    revoked = api.send("POST", f"/v2/jobs/{job}/retry", {}, **NEWEST)
    assert (revoked.status_int, revoked.json["code"]) == (409, "accel.key_revoked")
    assert api.request("DELETE", f"/v2/images/{uuid}", headers=NEWEST).status_int == 204
    assert api.send("POST", f"/v2/jobs/{job}/retry", {}, **NEWEST).status_int == 404


@pytest.fixture
def url(database: Database) -> Iterator[str]:
    with served(database) as url:
        yield url


# What the server has buffered of a body that breaks off it leaves to the garbage collector.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_over_a_socket_a_sender_that_goes_away_leaves_nothing(url: str, api: Client, database: Database) -> None:
    uuid = announced(api)

    def half() -> Iterator[bytes]:
        yield BYTES[: 3 << 20]
        raise ConnectionAbortedError

    path = f"{url}/v2/images/{uuid}/content"
    with pytest.raises((requests.exceptions.RequestException, ConnectionAbortedError)):
        requests.put(path, data=half(), headers=SENT, timeout=30)
    assert requests.put(path, data=BYTES, headers=SENT, timeout=30).status_code == 200
    assert kept(database) == [1, 6]
    gc.collect()
