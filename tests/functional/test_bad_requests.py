"""Whatever a client sends, the fault is the client's, the answer is JSON, and nothing of our inside is in it."""

import io
import json

import pytest
from support.api import NEWEST, Client, client, fault

from accel.api.route import Route
from accel.api.routes import ROUTES
from accel.db.engine import Database


@pytest.fixture
def api(database: Database) -> Client:
    return client(database)


JSON = {"Content-Type": "application/json"}
LARGEST = 1 << 20


@pytest.mark.parametrize(
    ("path", "status"),
    [
        pytest.param("/v2/devices?type=%00", 400, id="NUL in a parameter"),
        pytest.param("/v2/devices?%00=x", 400, id="NUL in a parameter's name"),
        pytest.param("/v2/devices?type=%ff%fe", 400, id="a parameter that is not UTF-8"),
        pytest.param("/v2/devices/%00", 400, id="NUL in the path"),
        pytest.param("/v2/devices/%ff", 400, id="a path that is not UTF-8"),
        pytest.param("/v2/nodes/%ff", 400, id="a node's name that is not UTF-8"),
        pytest.param("/v2/devices?" + "&".join(f"a{n}=1" for n in range(2000)), 400, id="thousands of parameters"),
        pytest.param("/v2/devices?type=" + "x" * 100_000, 200, id="a very long value"),
        pytest.param("/v2/devices/" + "x" * 100_000, 404, id="a very long name"),
        pytest.param("/v2/devices?marker=" + "x" * 1000, 400, id="a very long marker"),
        pytest.param("/v2/devices?limit=1e3", 400, id="a limit in another form"),
        pytest.param("/v2/devices?limit=-1", 400, id="a negative limit"),
        pytest.param("/v2/devices?limit=%D9%A3", 400, id="a limit in other digits"),
        pytest.param("/v2/devices?type=%C3%BC", 200, id="a value in UTF-8"),
        pytest.param("/v2/devices?type=\u00c3\u00bc", 200, id="a value in bare UTF-8"),
        pytest.param("/v2/devices?type=\u00fc", 400, id="a bare byte that is not UTF-8"),
        pytest.param("/v2/devices?type=%F0%9F%98%80", 200, id="a value of four bytes"),
        pytest.param("/v2/devices/.", 404, id="a dot"),
        pytest.param("/v2/devices/..%2f..%2fetc", 404, id="dots and slashes"),
        pytest.param("/v2//devices//", 200, id="slashes too many"),
    ],
)
def test_an_odd_path_is_answered(path: str, status: int, api: Client) -> None:
    answer = api.request("GET", path, headers={"OpenStack-API-Version": "accelerator 2.4"})

    assert answer.status_int == status
    assert answer.content_type == "application/json"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"[" * 100_000, 400, id="deep lists"),
        pytest.param(b'{"a":' * 100_000, 400, id="deep objects"),
        pytest.param(b"\xff\xfe{}", 400, id="no UTF-8"),
        pytest.param(b"", 400, id="nothing"),
        pytest.param(b"   ", 400, id="blanks"),
        pytest.param(b"1" * 5000, 400, id="a very long number"),
        pytest.param(b'{"deployable_id": 1e400, "key": "a", "value": "b"}', 400, id="an infinite number"),
        pytest.param(b'{"deployable_id": NaN, "key": "a", "value": "b"}', 400, id="no number"),
        pytest.param(b'{"deployable_id": 1, "key": "a", "value": "\\u0000"}', 400, id="NUL"),
        pytest.param(b'{"deployable_id": -1, "key": "a", "value": "b"}', 400, id="a negative number"),
        pytest.param(b'{"attribute": null}', 400, id="an empty envelope"),
        pytest.param(b'{"attribute": {"attribute": {}}}', 400, id="an envelope in an envelope"),
        pytest.param(b" " * (LARGEST + 1), 413, id="a body too large"),
    ],
)
def test_an_odd_body_is_refused(body: bytes, status: int, api: Client) -> None:
    answer = api.request("POST", "/v2/attributes", headers=JSON, body=body)

    assert answer.status_int == status
    assert json.loads(answer.json["error_message"])["faultcode"] == "Client"


@pytest.mark.parametrize("nested", [b"[" * 1000 + b"]" * 1000, b'{"a":' * 1000 + b"1" + b"}" * 1000])
@pytest.mark.parametrize(
    "route", [route for route in ROUTES if route.body], ids=lambda route: f"{route.method} {route.path}"
)
def test_a_body_too_deep_to_be_told_is_refused(route: Route, nested: bytes, api: Client) -> None:
    answer = api.request(route.method, route.path, headers={**JSON, **NEWEST}, body=nested)

    assert (answer.status_int, fault(answer)) == (400, "The body is nested more than 100 levels deep")


def test_what_a_scheduler_tells_of_nodes_may_be_nested_a_hundred_levels_deep(api: Client) -> None:
    deep = b'{"Pod": {}, "Nodes": {"items": [{"metadata": {"name": "a"}, "more": %s}]}}'
    for levels, status in ((96, 200), (97, 400)):
        body = deep % (b"[" * levels + b"]" * levels)
        assert api.request("POST", "/v2/kubernetes/filter", headers=JSON, body=body).status_int == status


def test_what_is_wrong_with_a_long_value_is_told(api: Client) -> None:
    answer = api.send("POST", "/v2/placements/claims", {"consumer": "x" * 10_000}, **NEWEST)

    assert answer.status_int == 400
    assert fault(answer) == f"body.consumer: '{'x' * 99}… is too long"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a"] * 10_001, "body.exclude_nodes: ['a', 'a', 'a', 'a', "),
        ([1] * 10_001, "body.exclude_nodes: [1, 1, 1, 1, "),
        ([""] * 10_000, "body.exclude_nodes[99]: '' should be non-empty"),
    ],
    ids=["texts", "numbers", "empty texts"],
)
def test_of_very_many_mistakes_only_the_first_are_looked_at(names: list[object], said: str, api: Client) -> None:
    answer = api.send("POST", "/v2/placements/claims", {"exclude_nodes": names}, **NEWEST)

    assert answer.status_int == 400
    assert fault(answer).startswith(said)


def test_nul_is_called_by_its_name(api: Client) -> None:
    answer = api.send("POST", "/v2/placements/claims", {"consumer": "a\x00"}, **NEWEST)

    assert fault(answer) == "body.consumer: 'a\\x00' has the character NUL in it"


@pytest.mark.parametrize("version", ["2.0", "2.4"])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b'[{"name": "a", "groups": [{"resources:FPGA": 1e400}]}]', 400, id="an infinite amount"),
        pytest.param(b'[{"name": "a", "groups": [{"resources:FPGA": 1e-3}]}]', 400, id="an amount that is no integer"),
        pytest.param(b'[{"name": "a", "groups": [{"resources:FPGA": true}]}]', 400, id="an amount that is a truth"),
        pytest.param(b'[{"name": "a", "groups": [{"resources:FPGA": "%s"}]}]' % (b"9" * 9999), 400, id="many digits"),
        pytest.param(b'[{"name": "a", "groups": [{"resources:FPGA": "\xd9\xa3x"}]}]', 400, id="other digits"),
        pytest.param(b'[{"name": "a", "groups": [{"\\u0000": "1"}]}]', 400, id="NUL in a key"),
        pytest.param(b'[{"name": "a", "groups": [{"": "1"}]}]', 400, id="an empty key"),
        pytest.param(b'[{"name": "a", "groups": [null]}]', 400, id="a group that is null"),
        pytest.param(b'[{"name": "a", "groups": [{"accel:": {}}]}]', 400, id="an object in a group"),
        pytest.param(b'[{"name": "a", "groups": [{}], "uuid": "a-b"}]', 400, id="a uuid that is none"),
        pytest.param(b'[{"name": "a", "groups": [{}], "description": []}]', 400, id="a description that is a list"),
        pytest.param(b'[{"name": ["a"], "groups": [{}]}]', 400, id="a name that is a list"),
        pytest.param(b"[[]]", 400, id="a list in a list"),
        pytest.param(b"[null]", 400, id="a list of null"),
    ],
)
def test_an_odd_device_profile_is_refused(body: bytes, status: int, version: str, api: Client) -> None:
    headers = {**JSON, "OpenStack-API-Version": f"accelerator {version}"}
    answer = api.request("POST", "/v2/device_profiles", headers=headers, body=body)

    assert answer.status_int == status
    assert json.loads(answer.json["error_message"])["faultcode"] == "Client"


@pytest.mark.parametrize(("count", "status"), [(1000, 404), (1001, 400)])
def test_a_thousand_device_profiles_can_be_named_for_deletion(count: int, status: int, api: Client) -> None:
    names = ",".join(f"profile-{number}" for number in range(count))

    assert api.request("DELETE", f"/v2/device_profiles?value={names}").status_int == status
    assert api.request("DELETE", f"/v2/device_profiles/{names}").status_int == status


@pytest.mark.parametrize(("count", "status"), [(200, 404), (201, 400)])
def test_two_hundred_accelerator_requests_can_be_named_for_deletion(count: int, status: int, api: Client) -> None:
    named = ",".join(_uuids(count))

    assert api.request("DELETE", f"/v2/accelerator_requests?arqs={named}").status_int == status
    assert api.request("DELETE", f"/v2/accelerator_requests/{named}").status_int == status


@pytest.mark.parametrize(("count", "status"), [(1024, 404), (1025, 400)])
def test_a_thousand_accelerator_requests_can_be_named_for_a_change(count: int, status: int, api: Client) -> None:
    changes = {uuid: [{"path": "/hostname", "op": "remove"}] for uuid in _uuids(count)}

    assert api.send("PATCH", "/v2/accelerator_requests", changes).status_int == status


def _uuids(count: int) -> list[str]:
    return [f"{number:08x}-0000-4000-8000-000000000000" for number in range(count)]


def test_very_many_names_can_be_asked_for(api: Client) -> None:
    names = ",".join(f"{number:x}" for number in range(12_000))

    assert api.request("GET", f"/v2/device_profiles?name={names}").json == {"device_profiles": []}


def test_a_body_too_large_is_not_read(api: Client) -> None:
    class Untouched(io.BytesIO):
        def read(self, *_size: object) -> bytes:
            raise AssertionError("somebody reads")

    huge = {"wsgi.input": Untouched(), "CONTENT_LENGTH": str(1 << 40)}

    assert api.request("POST", "/v2/attributes", headers=JSON, environ=huge).status_int == 413


def test_a_body_of_unknown_length_is_read_up_to_the_limit(api: Client) -> None:
    endless = {"wsgi.input": io.BytesIO(b" " * (LARGEST * 3)), "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}

    assert api.request("POST", "/v2/attributes", headers=JSON, environ=endless).status_int == 413


def test_a_length_that_is_no_number_is_refused(api: Client) -> None:
    assert api.request("POST", "/v2/attributes", environ={"CONTENT_LENGTH": "many"}).status_int == 400


@pytest.mark.parametrize(
    "media_type", ["multipart/form-data", "multipart/form-data; boundary=", "application/x-www-form-urlencoded"]
)
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v2/attributes", 415),
        ("DELETE", "/v2/attributes/x", 404),
        ("POST", "/v2/devices/x/enable", 404),
        ("GET", "/v2/devices", 200),
    ],
)
def test_a_form_is_nothing_that_we_read(method: str, path: str, status: int, media_type: str, api: Client) -> None:
    answer = api.request(method, path, headers={"Content-Type": media_type}, body=b"%ff&x=1;--")

    assert answer.status_int == status
    assert answer.content_type == "application/json"


def test_before_2_4_an_error_has_the_one_member_of_the_contract(api: Client) -> None:
    answer = api.request("GET", "/v2/devices/x", headers={"OpenStack-API-Version": "accelerator 2.3"})

    assert set(answer.json) == {"error_message"}


def test_from_2_4_an_error_says_more(api: Client) -> None:
    answer = api.request("GET", "/v2/devices/x", headers={"OpenStack-API-Version": "accelerator 2.4"})

    assert answer.json | {"error_message": ""} == {
        "error_message": "",
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "Device not found: x",
        "instance": answer.headers["X-Openstack-Request-Id"],
        "code": "accel.not_found",
    }


def test_a_request_from_another_machine_is_refused_without_authentication(api: Client) -> None:
    answer = api.request("GET", "/v2/devices", environ={"REMOTE_ADDR": "192.0.2.1"})

    assert answer.status_int == 403
    assert "own machine" in fault(answer)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", ""])
def test_a_request_from_this_machine_is_answered(address: str, api: Client) -> None:
    assert api.request("GET", "/v2/devices", environ={"REMOTE_ADDR": address}).status_int == 200
