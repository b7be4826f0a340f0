"""A real Keystone: what its tokens open, what they do not, and how clients sign in with it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import requests
from support.cli import run
from support.cloud import Cloud, running_cloud
from support.nova import HOME, connected, running_nova
from support.outbox import about
from support.populated import uuid
from support.waiting import until

from accel.model.notification import Reception

OPENSTACK = Path(sys.executable).with_name("openstack")
# Deprecations among OpenStack's libraries are theirs to mend.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning"),
    pytest.mark.timeout(300),
]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with running_cloud(tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud


@pytest.mark.parametrize(
    ("name", "reads", "disables"),
    [
        ("admin1", 200, 204),
        ("manager1", 200, 403),
        ("member1", 403, 403),
        ("reader1", 403, 403),
        ("service1", 403, 403),
    ],
)
def test_a_token_of_a_project_opens_what_its_roles_do(name: str, reads: int, disables: int, cloud: Cloud) -> None:
    token = cloud.token_of(name)

    assert cloud.status("GET", "/devices", token) == reads
    assert cloud.status("POST", f"/devices/{uuid(1, 1)}/disable", token) == disables


@pytest.mark.parametrize("scope", [{}, {"system": {"all": True}}, {"domain": {"id": "default"}}], ids=str)
def test_an_administrator_outside_a_project_gets_nothing(scope: dict[str, object], cloud: Cloud) -> None:
    token = cloud.keystone.token("admin1", "admin1admin1", **scope)

    assert cloud.status("GET", "/devices", token) == 403
    assert cloud.status("POST", f"/devices/{uuid(1, 1)}/enable", token) == 403
    assert cloud.status("GET", "", token) == 200


def test_no_token_and_a_wrong_one_are_refused_in_the_words_of_the_middleware(cloud: Cloud) -> None:
    for headers in ({}, {"X-Auth-Token": "nonsense"}, {"X-Auth-Token": cloud.token_of("admin1")[:-2] + "xx"}):
        answer = requests.get(f"{cloud.url}/v2/devices", headers=headers, timeout=60)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == 401
        assert answer.headers["WWW-Authenticate"] == f'Keystone uri="{cloud.keystone.url}"'


def test_a_revoked_token_is_refused(cloud: Cloud) -> None:
    token = cloud.token_of("manager1")
    cloud.keystone.call("DELETE", "/auth/tokens", token=token, **{"X-Subject-Token": token})

    assert cloud.status("GET", "/devices", token) == 401


def test_an_expired_token_is_refused_unless_a_service_goes_on_with_it(cloud: Cloud) -> None:
    token = cloud.keystone.expiring_token("manager1", "manager1manager1", "own", seconds=2)
    until(lambda: cloud.status("GET", "/devices", token) == 401)

    assert cloud.status("GET", "/devices", token, **{"X-Service-Token": cloud.token_of("service1")}) == 200


@pytest.mark.parametrize(("name", "status"), [("service1", 200), ("admin1", 401), ("member1", 401)])
def test_only_a_service_has_service_tokens(name: str, status: int, cloud: Cloud) -> None:
    headers = {"X-Service-Token": cloud.token_of(name)}

    assert cloud.status("GET", "/devices", cloud.token_of("manager1"), **headers) == status


def test_an_event_has_the_id_of_the_user(cloud: Cloud) -> None:
    token = cloud.token_of("admin1")
    assert cloud.status("POST", f"/devices/{uuid(1, 3)}/disable", token) == 204

    headers = {"X-Auth-Token": token, "OpenStack-API-Version": "accelerator 2.4"}
    events = requests.get(f"{cloud.url}/v2/events?device={uuid(1, 3)}", headers=headers, timeout=60).json()["events"]
    assert [event["source"] for event in events] == [f"api:{cloud.keystone.id_of('user', 'admin1')}"]


@pytest.mark.parametrize(
    ("name", "password", "code", "said"),
    [
        ("manager1", None, 0, ""),
        ("member1", None, 4, "Policy does not allow device:get_all"),
        ("manager1", "wrong", 4, "Keystone does not let you in"),
    ],
)
def test_the_command_line_signs_in_and_finds_the_service_in_the_catalog(
    name: str, password: str | None, code: int, said: str, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in cloud.variables_of(name, password).items():
        monkeypatch.setenv(variable, value)
    outcome = run("device", "list", "-f", "json", endpoint="")

    assert outcome.code == code, outcome.err
    assert said in outcome.err
    assert code != 0 or len(outcome.json) == 5


def test_the_openstack_command_works_with_a_token(cloud: Cloud) -> None:
    command = [str(OPENSTACK), "accelerator", "device", "list", "-f", "json"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    environment = clean | cloud.variables_of("manager1")
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)

    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) == 5


def test_a_conductor_signs_in_and_finds_nova_in_the_catalog(cloud: Cloud, tmp_path: Path) -> None:
    service = cloud.keystone.make("service", name="nova", type="compute")
    here, gone = str(uuid4()), str(uuid4())
    with running_nova() as nova:
        nova.servers = {here: HOME}
        cloud.keystone.make("endpoint", service_id=service, interface="internal", url=nova.url)
        section = (
            f"[nova]\nauth_type = password\nauth_url = {cloud.keystone.url}\nusername = service1\n"
            "password = service1service1\nproject_name = own\nuser_domain_id = default\nproject_domain_id = default\n"
            "service_name = nova\n"
        )
        conductor = connected(tmp_path, section)
        assert [reply.reception for reply in conductor.tell(about(here))] == [Reception.TAKEN]
        assert conductor.gone([here, gone]) == {gone}
        token = nova.next_post().headers["HTTP_X_AUTH_TOKEN"]
    answer = cloud.keystone.call("GET", "/auth/tokens", **{"X-Subject-Token": token})
    assert answer["token"]["user"]["name"] == "service1"


def test_while_keystone_refuses_or_nova_is_nowhere_nothing_is_lost(cloud: Cloud, tmp_path: Path) -> None:
    section = (
        f"[nova]\nauth_type = password\nauth_url = {cloud.keystone.url}\nusername = service1\npassword = wrong\n"
        "project_name = own\nuser_domain_id = default\nproject_domain_id = default\n"
    )
    for text in (section, section.replace("wrong", "service1service1") + "region_name = elsewhere\n"):
        [reply] = connected(tmp_path, text).tell(about(str(uuid4())))
        assert reply.reception is Reception.FAILED
