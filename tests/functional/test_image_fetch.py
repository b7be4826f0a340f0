"""Images that a conductor fetches: by URL from hosts that are allowed, and from Glance as Glance allows it."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.clocks import Clock
from support.image_sources import Web, keep_in_glance, running_web
from support.images import gbs
from support.registered import LIMITS, announce, bytes_of, sha256

from accel import conf as configuration
from accel.conductor import glance
from accel.conductor.image_fetch import Fetcher, Sources
from accel.conductor.image_url import UrlSource
from accel.db import image_work, images
from accel.db.engine import Database
from accel.db.images import ImageRow
from accel.db.scope import EVERYTHING
from accel.errors import ConfigurationError, InvalidValue
from accel.model.image_url import may_be_asked, read_networks, read_origin
from accel.model.registry import Facts, ImageSource, ImageState

REGION, FUNCTION = "f64e598bea11517fa28e7bc65d885104", "d8424dc4a4a3c413f89e433683f9040b"
BYTES = gbs(REGION, FUNCTION)
UUID = "9a17439a-85d0-4c53-a3d3-0f68a2eac896"
LOOPBACK = read_networks(["127.0.0.0/8"])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def web() -> Iterator[Web]:
    with running_web() as web:
        yield web


class Site:
    """A registry, and a conductor that fetches at once whatever is due."""

    def __init__(self, database: Database, clock: Clock, sources: Sources) -> None:
        self.database = database
        self.clock = clock
        self.fetcher = Fetcher(database, clock, sources, limits=LIMITS, submit=lambda work: work())

    def fetched(self, source: ImageSource, ref: str, **values: Any) -> ImageRow:
        row = announce(self.database, self.clock, source=source, source_ref=ref, **values)
        self.fetcher.fetch_due()
        return self.now(row)

    def now(self, row: ImageRow) -> ImageRow:
        return self.database.read(lambda connection: images.get(connection, row.uuid, scope=EVERYTHING))


def by_url(database: Database, clock: Clock, web: Web, **options: Any) -> Site:
    source = UrlSource(**{"hosts": frozenset({web.host}), "networks": LOOPBACK, **options})
    return Site(database, clock, Sources(url=source))


@pytest.fixture
def from_glance(database: Database, clock: Clock, web: Web, tmp_path: Path) -> Site:
    config = tmp_path / "accel.conf"
    config.write_text(f"[glance]\nauth_type = none\nendpoint_override = {web.url}\n")
    found = glance.connect(configuration.load(["--config-file", str(config)], prog="accel-conductor"))
    return Site(database, clock, Sources(url=UrlSource(frozenset(), ()), glance=found))


def test_what_is_at_a_url_is_fetched_and_known(database: Database, clock: Clock, web: Web) -> None:
    site = by_url(database, clock, web)
    row = site.fetched(ImageSource.URL, web.has("/blur.gbs", BYTES), digest=sha256(BYTES))

    assert (row.state, row.kind, row.size_bytes) == (ImageState.READY, "gbs", len(BYTES))
    assert bytes_of(database, row) == BYTES


def test_a_redirect_within_the_host_is_followed(database: Database, clock: Clock, web: Web) -> None:
    web.has("/here", BYTES)
    url = web.has("/there", b"", "302 Found", Location="/here")
    assert by_url(database, clock, web).fetched(ImageSource.URL, url, digest=sha256(BYTES)).state == ImageState.READY


@pytest.mark.parametrize(
    "location",
    ["http://169.254.169.254/latest", "https://127.0.0.1/", "file:///etc/passwd", "//example.org/", "http://["],
)
def test_a_redirect_to_another_host_is_not_followed(location: str, database: Database, clock: Clock, web: Web) -> None:
    url = web.has("/there", b"", "302 Found", Location=location)
    row = by_url(database, clock, web).fetched(ImageSource.URL, url, digest=sha256(BYTES))
    assert (row.state, "another host" in row.reason or "redirects" in row.reason) == (ImageState.FAILED, True)


def test_redirects_end_somewhere(database: Database, clock: Clock, web: Web) -> None:
    url = web.has("/round", b"", "302 Found", Location="/round")
    row = by_url(database, clock, web).fetched(ImageSource.URL, url, digest=sha256(BYTES))
    assert "redirects more than 3 times" in row.reason
    assert len(web.asked) == 4


@pytest.mark.parametrize(
    ("options", "said"),
    [({"networks": ()}, "neither public nor in one of"), ({"hosts": frozenset({"example.org"})}, "url_hosts")],
)
def test_nobody_is_asked_who_may_not_be(
    options: dict[str, Any], said: str, database: Database, clock: Clock, web: Web
) -> None:
    url = web.has("/blur.gbs", BYTES)
    row = by_url(database, clock, web, **options).fetched(ImageSource.URL, url, digest=sha256(BYTES))
    assert (row.state, said in row.reason, web.asked) == (ImageState.FAILED, True, [])


@pytest.mark.parametrize(
    ("path", "values", "said"),
    [
        ("/nowhere", {}, "answers 404"),
        ("/blur.gbs", {"digest": "0" * 64}, "not 000000"),
        ("/blur.gbs", {"facts": Facts(vendor="10ee")}, "what the header of the image says"),
        ("/blur.gbs", {"size_bytes": 5}, "the 5 bytes announced"),
        ("/large", {"digest": sha256(bytes(17 << 20))}, "max_size_mib"),
        ("/empty", {}, "an image of some bytes"),
    ],
)
def test_what_is_not_as_it_was_told_fails_with_the_reason(
    path: str, values: dict[str, Any], said: str, database: Database, clock: Clock, web: Web
) -> None:
    web.has("/blur.gbs", BYTES)
    web.has("/large", bytes(17 << 20))
    web.has("/empty", b"")
    site = by_url(database, clock, web)
    row = site.fetched(ImageSource.URL, f"{web.url}{path}", **{"digest": sha256(BYTES), **values})

    assert (row.state, said in row.reason) == (ImageState.FAILED, True), row.reason
    site.fetcher.fetch_due()
    assert site.now(row).state == ImageState.FAILED


def test_a_host_that_is_away_is_asked_again_until_it_takes_too_long(database: Database, clock: Clock, web: Web) -> None:
    site = by_url(database, clock, web)
    url = web.has("/blur.gbs", b"", "503 Service Unavailable")
    row = site.fetched(ImageSource.URL, url, digest=sha256(BYTES))
    assert row.state == ImageState.FETCHING
    site.fetcher.fetch_due()
    assert len(web.asked) == 1  # it is left alone for a while
    web.has("/blur.gbs", BYTES)
    clock.pass_(seconds=16)
    site.fetcher.fetch_due()
    assert site.now(row).state == ImageState.READY

    never = web.has("/never", b"", "503 Service Unavailable")
    late = site.fetched(ImageSource.URL, never, digest=sha256(BYTES), version="2")
    clock.pass_(minutes=6)
    site.fetcher.fetch_due()
    assert "it could not be fetched in time" in site.now(late).reason


def test_bytes_that_break_off_are_fetched_again(database: Database, clock: Clock, web: Web) -> None:
    site = by_url(database, clock, web)
    web.answers["/blur.gbs"] = "200 OK", {"Content-Length": str(len(BYTES) + 10)}, BYTES
    row = site.fetched(ImageSource.URL, f"{web.url}/blur.gbs", digest=sha256(BYTES))
    assert row.state == ImageState.FETCHING


def test_one_conductor_fetches_an_image_and_another_one_when_it_is_gone(
    database: Database, clock: Clock, web: Web
) -> None:
    site = by_url(database, clock, web)
    row = announce(
        database, clock, source=ImageSource.URL, source_ref=web.has("/blur.gbs", BYTES), digest=sha256(BYTES)
    )
    until = clock.now.replace(second=30)
    assert database.write(lambda connection: image_work.take(connection, row.uuid, now=clock(), until=until))
    site.fetcher.fetch_due()
    assert web.asked == []
    clock.pass_(seconds=31)
    site.fetcher.fetch_due()
    assert site.now(row).state == ImageState.READY


def test_an_image_of_glance_is_fetched_with_what_glance_knows_of_it(
    database: Database, web: Web, from_glance: Site
) -> None:
    hashed = {"os_hash_algo": "sha512", "os_hash_value": hashlib.sha512(b"raw bits").hexdigest()}
    properties = {"accel_vendor": "19e5", "accel_region_ids": REGION, "accel:function_id": FUNCTION}
    keep_in_glance(web, UUID, b"raw bits", **hashed, **properties)
    row = from_glance.fetched(ImageSource.GLANCE, UUID)
    lists = database.read(lambda connection: images.lists_of(connection, [row]))[row.id]

    assert (row.state, row.kind, row.vendor, row.digest) == (ImageState.READY, "raw", "19e5", sha256(b"raw bits"))
    assert (lists.region_ids, lists.function_ids) == ((REGION,), (FUNCTION,))


@pytest.mark.parametrize(
    ("image", "members", "expected"),
    [
        ({}, {}, ImageState.READY),
        ({"owner": "foreign", "visibility": "public"}, {}, ImageState.READY),
        ({"owner": "foreign", "visibility": "community"}, {}, ImageState.READY),
        ({"owner": "foreign", "visibility": "shared"}, {"own": "accepted"}, ImageState.READY),
        ({"owner": "foreign", "visibility": "shared"}, {"own": "pending"}, ImageState.FAILED),
        ({"owner": "foreign", "visibility": "shared"}, {}, ImageState.FAILED),
        ({"owner": "foreign", "visibility": "private"}, {"own": "accepted"}, ImageState.FAILED),
    ],
)
def test_a_project_gets_from_glance_what_glance_would_let_it_have(
    image: dict[str, str],
    members: dict[str, str],
    expected: str,
    web: Web,
    from_glance: Site,
) -> None:
    keep_in_glance(web, UUID, BYTES, members, **image)
    row = from_glance.fetched(ImageSource.GLANCE, UUID)
    assert row.state == expected
    assert row.state == ImageState.READY or row.reason == f"Glance has no image {UUID} that the project may have"


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ({"status": "queued"}, "is queued, not active"),
        ({"os_hash_algo": "sha512", "os_hash_value": "0" * 128}, "not those that it has a sha512 of"),
        ({"os_hash_algo": "sha256", "os_hash_value": "0" * 64}, "not those that it has a sha256 of"),
        ({"accel_kind": "elf"}, "properties of the image in Glance are wrong"),
        ({"accel_function_ids": "abc"}, "properties of the image in Glance are wrong"),
        ({"accel_vendor": "10ee"}, "what the header of the image says"),
    ],
)
def test_what_glance_has_wrong_fails_with_the_reason(
    image: dict[str, str], said: str, web: Web, from_glance: Site
) -> None:
    keep_in_glance(web, UUID, BYTES, **image)
    row = from_glance.fetched(ImageSource.GLANCE, UUID)
    assert (row.state, said in row.reason) == (ImageState.FAILED, True), row.reason


def test_an_image_that_glance_has_not_is_not_there(from_glance: Site) -> None:
    row = from_glance.fetched(ImageSource.GLANCE, UUID)
    assert (row.state, row.reason) == (ImageState.FAILED, "Glance answers 404 Not Found")


@pytest.mark.parametrize(
    ("address", "networks", "expected"),
    [
        ("93.184.216.34", [], [True]),
        ("2606:2800:220:1:248:1893:25c8:1946", [], [True]),
        ("127.0.0.1", [], [False]),
        ("10.1.2.3", [], [False]),
        ("169.254.169.254", [], [False]),
        ("::1", [], [False]),
        ("fe80::1", [], [False]),
        ("fd00::1", [], [False]),
        ("::ffff:10.1.2.3", [], [False]),
        ("224.0.0.1", [], [False]),
        ("0.0.0.0", [], [False]),
        ("10.1.2.3", ["10.1.0.0/16"], [True]),
        ("::ffff:10.1.2.3", ["10.1.0.0/16"], [True]),
        ("10.2.2.3", ["10.1.0.0/16", "fd00::/8"], [False]),
        ("nonsense", [], [False]),
    ],
)
def test_which_addresses_may_be_asked(address: str, networks: list[str], expected: list[bool]) -> None:
    assert [may_be_asked(address, read_networks(networks))] == expected


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/a",
        "https://user:secret@example.org/a",
        "https://example.org/a#b",
        "https:///a",
        "https://example.org:99999/a",
        "https://example.org\\@evil.org/",
        "https://example.org/a b",
        "https://evil.org/?example.org",
        "https://example.org.evil.org/",
        "http://example.org:8080/",
        "x" * 3000,
    ],
)
def test_what_is_no_url_of_an_allowed_host_is_refused_and_secrets_are_not_repeated(url: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        read_origin(url, {"example.org"})
    assert "secret" not in str(caught.value)


def test_hosts_are_named_with_their_port_where_it_is_not_the_usual_one() -> None:
    assert str(read_origin("https://EXAMPLE.org:443/a", {"example.org"})) == "example.org"
    assert str(read_origin("http://example.org:8080/a", {"Example.org:8080"})) == "example.org:8080"
    assert str(read_origin("http://[::1]:8080/a", {"[::1]:8080"})) == "[::1]:8080"


def test_networks_that_are_none_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="url_networks"):
        read_networks(["10.1.2.3/8"])
