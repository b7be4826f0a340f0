"""What stands around the resources: description, health, figures, mount points, and a database that is away."""

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jsonschema
import pytest
from openapi_spec_validator import validate
from prometheus_client.parser import text_string_to_metric_families
from support.api import NEWEST, Client, client, fault
from support.claims import local_claims
from support.databases import opened
from support.inventory import Inventory
from support.populated import CLAIM, populate, uuid
from support.registered import IMAGE, KEY, add_images

from accel import conf
from accel.api.app import make_app
from accel.api.embedded import EmbeddedServer
from accel.api.microversion import VERSIONS
from accel.api.routes import ROUTES
from accel.cmd.api import check_listening
from accel.db import migrate
from accel.db.engine import Database
from accel.errors import ConfigurationError

JOB = "b0000000-0000-4000-8000-000000000001"


@pytest.fixture
def api(database: Database) -> Client:
    populate(database)
    return client(database)


def _figures(api: Client) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = api.request("GET", "/metrics").text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _configured(database: Database, **options: str) -> Client:
    loaded = conf.load([], prog="accel-api", default_config_files=[])
    for name, value in options.items():
        loaded.set_override(name, value, group="api")
    return Client(make_app(database, loaded, local_claims(database)))


def test_the_description_is_valid_openapi(api: Client) -> None:
    document = api.request("GET", "/openapi.json").json

    validate(document)
    assert document["openapi"].startswith("3.1")


def test_the_description_has_every_route(api: Client) -> None:
    paths = api.request("GET", "/openapi.json").json["paths"]

    described = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    assert described == {(route.method, route.path) for route in ROUTES}


def test_every_route_that_is_about_the_inventory_names_its_policy() -> None:
    open_to_all = {route.path for route in ROUTES if route.policy is None}

    assert open_to_all == {"/", "/v2", "/openapi.json"}


def test_every_version_says_what_it_added() -> None:
    assert len(VERSIONS) == 5
    assert all(VERSIONS.values())


def test_the_answers_are_what_their_schemas_say(api: Client, database: Database) -> None:
    add_images(database)
    Inventory(database, first=1000).job({"identity": "serial:1", "uuid": uuid(1, 1)}, uuid=JOB)
    for route in ROUTES:
        if route.method == "GET" and not route.gives_bytes:
            path = route.path.format(uuid=_example(route.path), node="alpha", profile="gold", project_id="red")
            jsonschema.validate(api.get(path), route.answer)


def _example(path: str) -> str:
    examples = {
        "devices": uuid(1, 1),
        "health": uuid(1, 1),
        "deployables": uuid(2, 2),
        "attributes": uuid(3, 1),
        "accelerator_requests": uuid(8, 1),
        "attach_handles": uuid(4, 2),
        "claims": CLAIM,
        "images": IMAGE,
        "jobs": JOB,
        "image_keys": KEY,
    }
    return examples.get(path.split("/")[-2], "")


def test_the_process_says_that_it_is_well(api: Client) -> None:
    assert api.request("GET", "/healthcheck").status_int == 200


def test_requests_are_counted_by_route_and_not_by_path(api: Client) -> None:
    for path in (f"/v2/devices/{uuid(1, 1)}", f"/v2/devices/{uuid(1, 2)}", "/v2/devices/nosuch", "/what/ever"):
        api.request("GET", path)
    api.request("BREW", "/v2/devices")

    counted = {labels: value for (name, labels), value in _figures(api).items() if name == "accel_api_requests_total"}
    assert counted == {
        (("method", "GET"), ("route", "/v2/devices/{uuid}"), ("status", "200")): 2,
        (("method", "GET"), ("route", "/v2/devices/{uuid}"), ("status", "404")): 1,
        (("method", "GET"), ("route", "other"), ("status", "404")): 1,
        (("method", "other"), ("route", "/v2/devices"), ("status", "405")): 1,
    }


def test_the_inventory_is_counted_by_state(api: Client) -> None:
    figures = _figures(api)

    assert figures["accel_database_up", ()] == 1
    assert figures["accel_nova_notifications", ()] == 0
    assert figures["accel_placement_nodes", (("state", "agrees"),)] == 0
    assert figures["accel_nodes", (("state", "offline"),)] == 1
    assert figures["accel_devices", (("state", "unhealthy"), ("type", "GPU"))] == 1
    assert figures["accel_devices", (("state", "healthy"), ("type", "GPU"))] == 1
    assert figures["accel_devices", (("state", "lost"), ("type", "NVME"))] == 1
    assert figures["accel_devices_disabled", (("type", "NVME"),)] == 1
    assert figures["accel_attach_handles", (("state", "held"), ("type", "GPU"))] == 1
    assert figures["accel_attach_handles", (("state", "unusable"), ("type", "GPU"))] == 1


def test_every_answer_has_a_request_id(api: Client) -> None:
    first, second = (api.request("GET", path).headers["X-Openstack-Request-Id"] for path in ("/v2", "/nosuch"))

    assert first.startswith("req-")
    assert first != second


MOUNTED = {"HTTP_HOST": "api:6666", "SCRIPT_NAME": "/accelerator"}
PUBLIC = "https://cloud/accelerator"


@pytest.mark.parametrize(
    ("options", "environ", "base"),
    [
        pytest.param({}, {}, "http://localhost", id="the request's own host"),
        pytest.param({}, MOUNTED, "http://api:6666/accelerator", id="the mount point"),
        pytest.param({"public_endpoint": PUBLIC}, MOUNTED, PUBLIC, id="the public endpoint"),
        pytest.param({"public_endpoint": f"{PUBLIC}/"}, {}, PUBLIC, id="the public endpoint with a slash"),
    ],
)
def test_links_begin_where_clients_reach_us(
    options: dict[str, str], environ: dict[str, str], base: str, database: Database
) -> None:
    populate(database)
    api = _configured(database, **options)

    root = api.request("GET", "/", environ=environ).json
    devices = api.request("GET", "/v2/devices?limit=1", environ=environ).json
    assert root["versions"][0]["links"][0]["href"] == f"{base}/v2"
    assert devices["devices"][0]["links"][0]["href"] == f"{base}/v2/devices/{uuid(1, 1)}"
    assert devices["devices_links"][0]["href"].startswith(f"{base}/v2/devices?limit=1&marker=")


def test_every_link_can_be_followed(api: Client) -> None:
    for collection in ("devices", "deployables", "attributes", "nodes"):
        for row in api.get(f"/v2/{collection}")[collection]:
            for link in row["links"]:
                api.get(link["href"].removeprefix("http://localhost"))


def test_pages_together_are_the_list(api: Client) -> None:
    for order in (
        "",
        "&sort_key=numa_node",
        "&sort_key=numa_node&sort_dir=desc",
        "&sort_key=type",
        "&presence=present",
    ):
        whole = [row["uuid"] for row in api.get(f"/v2/devices?{order.lstrip('&')}")["devices"]]
        paged: list[str] = []
        path: str | None = f"/v2/devices?limit=1{order}"
        while path:
            page = api.get(path)
            paged += [row["uuid"] for row in page["devices"]]
            path = (
                page["devices_links"][0]["href"].removeprefix("http://localhost") if "devices_links" in page else None
            )
        assert paged == whole


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[tuple[Path, Client]]:
    """An API whose database is away, and the path at which one can be put."""
    path = tmp_path / "away" / "accel.sqlite"
    with opened(f"sqlite:///{path}") as database:
        yield path, client(database)


def test_a_database_that_is_away_is_told_and_comes_back(broken: tuple[Path, Client]) -> None:
    path, api = broken
    answer = api.request("GET", "/v2/devices", headers=NEWEST)
    assert answer.status_int == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json["code"] == "accel.database_unavailable"
    assert str(path) not in answer.text

    path.parent.mkdir()
    with opened(f"sqlite:///{path}") as database:
        migrate.upgrade(database)
    assert api.get("/v2/devices") == {"devices": []}


def test_a_database_that_is_away_leaves_figures_out(broken: tuple[Path, Client]) -> None:
    figures = _figures(broken[1])

    assert figures["accel_database_up", ()] == 0
    assert not [name for name, _labels in figures if name == "accel_nodes"]


def test_the_unexpected_is_told_to_nobody_outside(database: Database) -> None:
    api = client(database)
    with sqlite3.connect(str(database.engine.url.database)) as connection:
        connection.execute("DROP TABLE devices")
    connection.close()

    answer = api.request("GET", "/v2/devices")
    assert answer.status_int == 500
    assert fault(answer) == "Internal error; the log has more"


def test_the_embedded_server_answers_and_stops(database: Database) -> None:
    before = threading.active_count()
    server = EmbeddedServer(client(database).application, "127.0.0.1", 0)
    server.start()
    server.stop()

    assert server.url == f"http://127.0.0.1:{server.port}"
    assert threading.active_count() == before


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "cloud.example.org"])
def test_without_authentication_only_loopback_is_listened_on(host: str) -> None:
    loaded = conf.load([], prog="accel-api", default_config_files=[])
    loaded.set_override("host", host, group="api")

    with pytest.raises(ConfigurationError, match=r"\[api\] host"):
        check_listening(loaded)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_loopback_is_listened_on(host: str) -> None:
    loaded = conf.load([], prog="accel-api", default_config_files=[])
    loaded.set_override("host", host, group="api")

    check_listening(loaded)


def test_what_is_disabled_by_many_at_once_is_one_event(api: Client) -> None:
    path = f"/v2/devices/{uuid(1, 3)}/disable"

    with ThreadPoolExecutor(8) as clients:
        statuses = set(clients.map(lambda _: api.request("POST", path).status_int, range(16)))

    assert statuses == {204}
    assert len(api.get("/v2/events?kind=device.disabled")["events"]) == 1


def test_behind_a_proxy_links_begin_with_its_prefix(database: Database) -> None:
    loaded = conf.load([], prog="accel-api", default_config_files=[])
    api = Client(make_app(database, loaded, local_claims(database)))
    loaded.set_override("enable_proxy_headers_parsing", True, group="oslo_middleware")  # noqa: FBT003 - oslo.config has it so
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "cloud", "X-Forwarded-Prefix": "/accelerator"}

    root = api.request("GET", "/", headers=forwarded).json
    assert root["versions"][0]["links"][0]["href"] == "https://cloud/accelerator/v2"
