"""What a conductor makes of the answers of Nova, through keystoneauth and a socket."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import uuid4

import pytest
from support.nova import HOME, Answer, StandInNova, connected, options, running_nova
from support.outbox import about
from support.processes import free_port

from accel import conf as configuration
from accel.conductor.nova import Nova, connect
from accel.errors import ConfigurationError, NovaUnavailable
from accel.model.notification import Notification, NotificationStatus, Reception

HERE, UNSCHEDULED, GONE = (str(uuid4()) for _ in range(3))


@pytest.fixture
def service() -> Iterator[StandInNova]:
    with running_nova() as nova:
        nova.servers = {HERE: HOME, UNSCHEDULED: ""}
        yield nova


@pytest.fixture
def nova(service: StandInNova, tmp_path: Path) -> Nova:
    return connected(tmp_path, options(service.url))


def receptions(nova: Nova, told: Sequence[Notification]) -> list[Reception]:
    return [reply.reception for reply in nova.tell(told)]


def test_an_event_has_the_form_that_nova_knows_from_2_82_on(nova: Nova, service: StandInNova) -> None:
    failed = Notification(request_uuid="r-1", instance_uuid=HERE, status=NotificationStatus.FAILED)
    assert receptions(nova, [failed]) == [Reception.TAKEN]

    post = service.next_post()
    assert post.events == [{"name": "accelerator-request-bound", "server_uuid": HERE, "tag": "r-1", "status": "failed"}]
    assert post.headers["HTTP_OPENSTACK_API_VERSION"] == "compute 2.82"


@pytest.mark.parametrize(
    ("instances", "expected"),
    [
        ([HERE, HERE], [Reception.TAKEN, Reception.TAKEN]),
        ([UNSCHEDULED], [Reception.TAKEN]),
        ([GONE], [Reception.POINTLESS]),
        ([HERE, GONE, UNSCHEDULED], [Reception.TAKEN, Reception.POINTLESS, Reception.TAKEN]),
    ],
)
def test_each_event_is_answered_for_itself(instances: list[str], expected: list[Reception], nova: Nova) -> None:
    assert receptions(nova, about(*instances)) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(200, {"events": []}), Reception.TAKEN),
        (Answer(404, {"itemNotFound": {"code": 404, "message": "No instances found for any event"}}), "pointless"),
        (Answer(404, "404 page not found"), Reception.FAILED),
        (Answer(404, {"error": {"code": 404, "message": "What is this?"}}), Reception.FAILED),
        (Answer(200, "<html>Sign in here</html>"), Reception.FAILED),
        (Answer(200, ["events"]), Reception.FAILED),
        (Answer(207, {"events": []}), Reception.FAILED),
        (Answer(207, {"events": ["odd"]}), Reception.FAILED),
        (Answer(202, {"events": []}), Reception.FAILED),
        (Answer(400, {"badRequest": {"code": 400, "message": "Invalid input"}}), Reception.FAILED),
        (Answer(403, {"forbidden": {"code": 403, "message": "Policy does not allow it"}}), Reception.FAILED),
        (Answer(406, {"computeFault": {"code": 406, "message": "Version 2.82 is not supported"}}), Reception.FAILED),
        (Answer(429, {"overLimit": {"code": 429, "message": "Slowly"}}), Reception.FAILED),
        (Answer(500), Reception.FAILED),
        (Answer(503, "Service Unavailable"), Reception.FAILED),
    ],
)
def test_what_is_not_nova_saying_so_is_no_end(
    answer: Answer, expected: Reception, nova: Nova, service: StandInNova
) -> None:
    service.script.append(answer)

    assert receptions(nova, about(HERE)) == [expected]


def test_a_failure_says_what_nova_said(nova: Nova, service: StandInNova) -> None:
    service.script.append(Answer(403, {"forbidden": {"code": 403, "message": "Policy does not allow it"}}))

    assert nova.tell(about(HERE))[0].text == "Nova answers 403: Policy does not allow it"


def test_one_event_that_nova_cannot_read_does_not_keep_the_others_from_it(nova: Nova, service: StandInNova) -> None:
    told = about(*[HERE] * 5, "no-uuid", *[HERE] * 10)
    expected = [Reception.TAKEN] * 5 + [Reception.FAILED] + [Reception.TAKEN] * 10

    assert receptions(nova, told) == expected
    assert [event["tag"] for event in service.told] == [one.request_uuid for one in told if one.instance_uuid == HERE]


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoint_override": "nova"},
        {"endpoint_override": "http://[::1"},
        {"endpoint_override": "http://nova.invalid"},
        {"endpoint_override": "https://127.0.0.1:1", "cafile": "/no/such/file"},
        {},
    ],
)
def test_nobody_there_is_no_end(wrong: dict[str, str], tmp_path: Path) -> None:
    nova = connected(tmp_path, options(f"http://127.0.0.1:{free_port()}", **wrong))

    assert receptions(nova, about(HERE, GONE)) == [Reception.FAILED, Reception.FAILED]


def test_no_answer_in_time_is_no_end(tmp_path: Path, service: StandInNova) -> None:
    service.script.append("hang")
    nova = connected(tmp_path, options(service.url, timeout=1))

    assert receptions(nova, about(HERE)) == [Reception.FAILED]


def test_a_password_that_nova_knows_is_sent(tmp_path: Path, service: StandInNova) -> None:
    section = options(service.url, auth_type="http_basic", username="accel", password="secret")

    assert receptions(connected(tmp_path, section), about(HERE)) == [Reception.TAKEN]
    assert service.next_post().headers["HTTP_AUTHORIZATION"] == "Basic YWNjZWw6c2VjcmV0"


def test_how_to_sign_in_may_stand_in_another_section(tmp_path: Path, service: StandInNova) -> None:
    section = options(service.url, auth_type="", auth_section="of_the_service")
    other = f"[of_the_service]\nauth_type = admin_token\nendpoint = {service.url}\ntoken = ours\n"

    assert receptions(connected(tmp_path, section + other), about(HERE)) == [Reception.TAKEN]
    assert service.next_post().headers["HTTP_X_AUTH_TOKEN"] == "ours"


def test_the_instances_that_nova_does_not_know_are_gone(nova: Nova) -> None:
    assert nova.gone([HERE, GONE, UNSCHEDULED, GONE, "no uuid/../servers"]) == {GONE, "no uuid/../servers"}
    assert nova.gone([]) == set()


def test_who_may_not_see_all_instances_does_not_learn_that_they_are_gone(nova: Nova, service: StandInNova) -> None:
    service.sees_all = False

    with pytest.raises(NovaUnavailable, match="needs the role admin"):
        nova.gone([HERE])


@pytest.mark.parametrize("path", ["/elsewhere", ""])
def test_while_nova_is_away_nothing_is_gone(path: str, tmp_path: Path, service: StandInNova) -> None:
    url = f"{service.url}{path}" if path else f"http://127.0.0.1:{free_port()}"

    with pytest.raises(NovaUnavailable):
        connected(tmp_path, options(url)).gone([HERE])


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("[nova]\nauth_type = pasword\n", "pasword"),
        ("[nova]\nauth_type = v3token\n", "auth_url"),
        ("[nova]\nauth_section = elsewhere\n", "[elsewhere] has no auth_type"),
        ("[nova]\nauth_section = nova\n", "[nova] has no auth_type"),
        ("[nova]\nauth_type = none\nvalid_interfaces = private\n", "'private' is not a valid value"),
        ("[nova]\nauth_type = none\ntimeout = soon\n", "timeout"),
        ("[nova]\nauth_type = none\ntimeout = 0\n", "[nova] timeout"),
    ],
)
def test_a_mistake_in_the_configuration_is_told(section: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        connected(tmp_path, section)
    assert said in str(caught.value)


def test_without_a_way_to_sign_in_there_is_no_nova_and_nothing_is_imported_for_it() -> None:
    assert connect(configuration.load([], prog="test", default_config_files=[])) is None
    program = "import sys, accel.cmd.all_in_one, accel.cmd.agent; sys.exit('keystoneauth1' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
