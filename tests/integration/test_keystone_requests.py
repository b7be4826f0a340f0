"""Accelerator requests with the tokens of a real Keystone: of users, of services, expired and outside a project."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from support.api import NEWEST
from support.cloud import Cloud, running_cloud
from support.keystone import in_default_domain
from support.populated import uuid
from support.waiting import until

PATH = "/accelerator_requests"
INSTANCE = "aaaaaaaa-0001-4000-8000-000000000000"
# Deprecations among OpenStack's libraries are theirs to mend.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning"),
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        keystone = cloud.keystone
        project = keystone.make("project", name="foreign", domain_id="default")
        user = keystone.make("user", name="alt1", password="alt1alt1", domain_id="default")
        keystone.call("PUT", f"/projects/{project}/users/{user}/roles/{keystone.id_of('role', 'member')}")
        yield cloud


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever has a token, and perhaps a service's too."""

    cloud: Cloud
    token: str
    service_token: str = ""

    def ask(self, method: str, path: str = PATH, body: Any = None) -> requests.Response:
        """What our API answers."""
        headers = NEWEST | {"X-Auth-Token": self.token}
        if self.service_token:
            headers["X-Service-Token"] = self.service_token
        return requests.request(method, f"{self.cloud.url}/v2{path}", headers=headers, json=body, timeout=60)

    def make(self) -> str:
        """The uuid of a new request."""
        answer = self.ask("POST", body={"device_profile_name": "gold"})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["arqs"][0]["uuid"])


@pytest.fixture
def member(cloud: Cloud) -> Caller:
    return Caller(cloud, cloud.token_of("member1"))


@pytest.fixture
def nova(cloud: Cloud, member: Caller) -> Caller:
    """Nova on behalf of the member."""
    return Caller(cloud, member.token, cloud.token_of("service1"))


@pytest.fixture
def made(member: Caller, nova: Caller) -> Iterator[str]:
    """A request of the member, which is gone afterwards."""
    request = member.make()
    yield request
    nova.ask("DELETE", f"{PATH}?arqs={request}")


def bind(cloud: Cloud, request: str) -> dict[str, Any]:
    """What binds a request to one of the two fakes of the node beta."""
    administrator = Caller(cloud, cloud.token_of("admin1"))
    provider = administrator.ask("GET", f"/deployables/{uuid(2, 5)}").json()["rp_uuid"]
    values = {"hostname": "beta", "device_rp_uuid": provider, "instance_uuid": INSTANCE}
    return {request: [{"path": f"/{name}", "op": "add", "value": value} for name, value in values.items()]}


def test_a_member_makes_sees_and_deletes_and_a_reader_may_only_look(cloud: Cloud, member: Caller) -> None:
    reader = Caller(cloud, cloud.token_of("reader1"))
    request = member.make()

    assert reader.ask("GET", f"{PATH}/{request}").json()["project_id"] == cloud.keystone.id_of("project", "own")
    assert request in [row["uuid"] for row in reader.ask("GET").json()["arqs"]]
    assert reader.ask("POST", body={"device_profile_name": "gold"}).status_code == 403
    assert reader.ask("PATCH", body=bind(cloud, request)).status_code == 403
    assert reader.ask("DELETE", f"{PATH}/{request}").status_code == 403
    assert member.ask("DELETE", f"{PATH}/{request}").status_code == 204


def test_another_project_sees_nothing_of_it(cloud: Cloud, made: str) -> None:
    token = cloud.keystone.token("alt1", "alt1alt1", project=in_default_domain("foreign"))
    for caller in (Caller(cloud, token), Caller(cloud, token, cloud.token_of("service1"))):
        assert caller.ask("GET").json() == {"arqs": []}
        assert caller.ask("GET", f"{PATH}/{made}").status_code == 404
        assert caller.ask("DELETE", f"{PATH}/{made}").status_code == 404
    assert caller.ask("PATCH", body=bind(cloud, made)).status_code == 404


@pytest.mark.parametrize("name", ["member1", "admin1"])
def test_nobody_binds_without_a_service_token(name: str, cloud: Cloud, made: str) -> None:
    answer = Caller(cloud, cloud.token_of(name)).ask("PATCH", body=bind(cloud, made))

    assert answer.status_code == 403
    assert "requires a service token" in answer.json()["detail"]


def test_a_service_by_itself_does_not_bind_either(cloud: Cloud, made: str) -> None:
    service = cloud.token_of("service1")

    assert Caller(cloud, service).ask("PATCH", body=bind(cloud, made)).status_code == 403


def test_a_token_of_a_user_is_no_service_token(cloud: Cloud, member: Caller, made: str) -> None:
    for name in ("member1", "admin1"):
        pretender = Caller(cloud, member.token, cloud.token_of(name))
        assert pretender.ask("PATCH", body=bind(cloud, made)).status_code == 401


def test_with_a_service_token_it_is_bound_and_what_is_bound_only_a_service_deletes(
    cloud: Cloud, member: Caller, nova: Caller, made: str
) -> None:
    bound = nova.ask("PATCH", body=bind(cloud, made))

    assert (bound.status_code, bound.content) == (202, b"")
    assert member.ask("GET", f"{PATH}/{made}").json()["state"] == "Bound"
    assert member.ask("DELETE", f"{PATH}/{made}").status_code == 403
    assert member.ask("DELETE", f"{PATH}?instance={INSTANCE}").status_code == 403
    assert nova.ask("DELETE", f"{PATH}?instance={INSTANCE}").status_code == 204
    assert member.ask("GET", f"{PATH}/{made}").status_code == 404


def test_the_events_have_the_user_the_request_and_the_project(cloud: Cloud, nova: Caller, made: str) -> None:
    answers = [nova.ask("PATCH", body=bind(cloud, made)), nova.ask("DELETE", f"{PATH}?instance={INSTANCE}")]

    told = Caller(cloud, cloud.token_of("manager1")).ask("GET", f"/events?subject={made}").json()["events"]
    assert [event["kind"] for event in told] == ["request.created", "request.bound", "request.deleted"]
    assert [event["request_id"] for event in told[1:]] == [
        answer.headers["X-Openstack-Request-Id"] for answer in answers
    ]
    assert {event["source"] for event in told} == {f"api:{cloud.keystone.id_of('user', 'member1')}"}
    assert {event["project_id"] for event in told} == {cloud.keystone.id_of("project", "own")}


def test_a_service_binds_for_a_user_whose_token_has_expired(cloud: Cloud, made: str) -> None:
    token = cloud.keystone.expiring_token("member1", "member1member1", "own", seconds=2)
    until(lambda: Caller(cloud, token).ask("GET").status_code == 401)

    nova = Caller(cloud, token, cloud.token_of("service1"))
    assert nova.ask("PATCH", body=bind(cloud, made)).status_code == 202
    assert nova.ask("DELETE", f"{PATH}?instance={INSTANCE}").status_code == 204
    assert Caller(cloud, token, cloud.token_of("member1")).ask("GET").status_code == 401


@pytest.mark.parametrize("scope", [{}, {"system": {"all": True}}, {"domain": {"id": "default"}}], ids=str)
def test_outside_a_project_there_are_no_requests(scope: dict[str, object], cloud: Cloud, made: str) -> None:
    token = cloud.keystone.token("admin1", "admin1admin1", **scope)
    for caller in (Caller(cloud, token), Caller(cloud, token, cloud.token_of("service1"))):
        assert caller.ask("GET").status_code == 403
        assert caller.ask("GET", f"{PATH}/{made}").status_code == 403
        assert caller.ask("POST", body={"device_profile_name": "gold"}).status_code == 403
        assert caller.ask("PATCH", body=bind(cloud, made)).status_code == 403
        assert caller.ask("DELETE", f"{PATH}/{made}").status_code == 403
        assert caller.ask("DELETE", f"{PATH}?instance={INSTANCE}").status_code == 403
