"""Every route with every kind of token: who gets in, who is refused, and how."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from support.api import NEWEST, Client, client, fault
from support.databases import migrated
from support.populated import populate, uuid
from support.stand_in_keystone import PERSONAS, asking_keystone

from accel.api.routes import ROUTES
from accel.db.engine import Database

TABLE = yaml.safe_load((Path(__file__).parent.parent / "data" / "access.yaml").read_text())
COLUMNS = TABLE["personas"].split()
ROWS = [line.split() for line in TABLE["routes"].splitlines()]
OPEN = [line.split() for line in TABLE["open"].splitlines()]
CASES = [
    pytest.param(method, path, persona, mark, id=f"{persona} {method} {path}")
    for method, path, *marks in ROWS
    for persona, mark in zip(COLUMNS, marks, strict=True)
]
NOT_ROUTES = {("GET", "/healthcheck"), ("GET", "/metrics")}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    directory = tmp_path_factory.mktemp("access")
    with migrated("sqlite", directory) as database, asking_keystone(directory) as config:
        populate(database)
        yield client(database, "--config-file", str(config))


def _path(template: str) -> str:
    return template.format(uuid=uuid(9, 9), again=uuid(9, 9), node="alpha", profile=uuid(9, 9), project_id="nosuch")


def _headers(persona: str) -> dict[str, str]:
    return NEWEST | {"X-Auth-Token": f"<{persona}>"}


def test_the_table_has_every_route_and_every_persona() -> None:
    named = {(method, path) for method, path, *_ in [*ROWS, *OPEN]}

    assert named == {(route.method, route.path) for route in ROUTES} | NOT_ROUTES
    assert set(COLUMNS) == set(PERSONAS)


@pytest.mark.parametrize(("method", "path", "persona", "mark"), CASES)
def test_who_may_does_and_who_may_not_is_refused(method: str, path: str, persona: str, mark: str, api: Client) -> None:
    answer = api.request(method, _path(path), headers=_headers(persona))

    if mark == "x":
        assert answer.status_int not in {401, 403}, answer.text
        assert answer.status_int < 500
    else:
        assert answer.status_int == 403
        assert answer.json["code"] == "accel.access_refused"


@pytest.mark.parametrize(("method", "path"), [row[:2] for row in ROWS])
def test_without_a_token_nothing_is_answered(method: str, path: str, api: Client) -> None:
    answer = api.request(method, _path(path), headers=NEWEST)

    assert answer.status_int == 401
    assert answer.headers["WWW-Authenticate"] == 'Keystone uri="http://127.0.0.1:5000"'


@pytest.mark.parametrize("path", ["/nosuch", "/v2/nosuch", "/v1"])
def test_without_a_token_it_is_not_even_said_what_there_is(path: str, api: Client) -> None:
    assert api.request("GET", path).status_int == 401
    assert api.request("GET", path, headers=_headers("reader")).status_int == 404


@pytest.mark.parametrize(("method", "path"), [*OPEN, ("GET", "/v2/"), ("GET", "/v2.json"), ("GET", "/accelerator/v2")])
def test_what_is_open_needs_no_token(method: str, path: str, api: Client) -> None:
    assert api.request(method, path).status_int == 200
    assert api.request(method, path, headers=_headers("unscoped")).status_int == 200


@pytest.mark.parametrize(
    "forged",
    [
        {"X-Roles": "admin", "X-Project-Id": "own", "X-User-Id": "me"},
        {"X-Roles": "admin", "X-Project-Id": "own", "X-Identity-Status": "Confirmed"},
        {"X-Auth-Token": "<member>", "X-Roles": "admin"},
        {"X-Auth-Token": "<unscoped_admin>", "X-Project-Id": "own"},
    ],
    ids=str,
)
def test_what_only_keystone_may_say_is_not_believed_of_a_client(forged: dict[str, str], api: Client) -> None:
    assert api.request("GET", "/v2/devices", headers=forged).status_int in {401, 403}


@pytest.mark.parametrize(
    ("persona", "said"),
    [
        ("member", "Policy does not allow device:get_all with the roles that you have in this project: member, reader"),
        ("roleless", "Policy does not allow device:get_all with the roles that you have in this project: none"),
        ("sysadmin", "device:get_all is allowed within a project only; ask with a token that is scoped to one"),
        ("unscoped", "device:get_all is allowed within a project only; ask with a token that is scoped to one"),
    ],
)
def test_a_refusal_says_why(persona: str, said: str, api: Client) -> None:
    assert fault(api.request("GET", "/v2/devices", headers=_headers(persona))) == said


@pytest.mark.parametrize(
    ("service", "status"), [("nova", 200), ("member", 401), ("admin", 401), ("nosuch", 401), ("unscoped", 401)]
)
def test_a_service_token_is_one_of_a_service(service: str, status: int, api: Client) -> None:
    headers = _headers("admin") | {"X-Service-Token": f"<{service}>"}

    assert api.request("GET", "/v2/devices", headers=headers).status_int == status


def test_an_event_says_who_did_it_and_by_which_request(api: Client) -> None:
    answer = api.request("POST", f"/v2/devices/{uuid(1, 1)}/disable", headers=_headers("projadmin"))

    assert answer.status_int == 204
    (event,) = api.get("/v2/events?kind=device.disabled", **{"X-Auth-Token": "<manager>"})["events"]
    assert event["source"] == "api:id-of-projadmin"
    assert event["request_id"] == answer.headers["X-Openstack-Request-Id"]


def test_while_keystone_is_away_a_token_is_neither_good_nor_bad(database: Database, tmp_path: Path) -> None:
    with asking_keystone(tmp_path) as config:
        options = config.read_text() + "http_request_max_retries = 0\n"
    config.write_text(options)
    api = client(database, "--config-file", str(config))

    assert api.request("GET", "/v2/devices", headers=_headers("admin")).status_int == 503
    assert api.request("GET", "/v2").status_int == 200
