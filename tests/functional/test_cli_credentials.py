"""Who the command line says it is, and what becomes of it."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from support.cli import Outcome, run
from support.databases import migrated
from support.populated import populate, uuid
from support.served import served
from support.stand_in_keystone import asking_keystone
from support.users import write_users

USERS = {
    "max": "research:manager",
    "mia": "research:member",
    "zoë": "research:admin",
    "eva": "research:admin,service",
}
HINT = "Say who you are: --os-cloud NAME, OpenStack's OS_* variables, or ACCEL_USER and ACCEL_PASSWORD\n"
# Deprecations among OpenStack's libraries are theirs to mend.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")


@pytest.fixture(scope="module")
def with_users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("users")
    config = write_users(directory, USERS)
    with migrated("sqlite", directory) as database, served(database, "--config-file", str(config)) as url:
        populate(database)
        yield url


@pytest.fixture(scope="module")
def with_tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("tokens")
    with (
        migrated("sqlite", directory) as database,
        asking_keystone(directory) as config,
        served(database, "--config-file", str(config)) as url,
    ):
        populate(database)
        yield url


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variables of whoever runs the tests."""
    for name in os.environ:
        if name.startswith(("OS_", "ACCEL_")):
            monkeypatch.delenv(name)


def asked(url: str, line: str, variables: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Outcome:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return run(*line.split(), endpoint=url)


def user(name: str, password: str | None = None) -> dict[str, str]:
    return {"ACCEL_USER": name, "ACCEL_PASSWORD": name * 2 if password is None else password}


def token(name: str, url: str) -> dict[str, str]:
    return {"OS_AUTH_TYPE": "admin_token", "OS_TOKEN": f"<{name}>", "OS_ENDPOINT": url}


@pytest.mark.parametrize(
    ("variables", "line", "code", "said"),
    [
        (user("max"), "device list -f json", 0, ""),
        (user("zoë"), f"device enable {uuid(1, 1)}", 0, ""),
        (user("max"), f"device enable {uuid(1, 1)}", 4, "Policy does not allow device:enable"),
        (user("mia"), "summary", 4, "with the roles that you have in this project: member, reader"),
        (user("max", "wrong"), "summary", 4, f"There is no user with this name and password\n{HINT}"),
        ({}, "summary", 4, f"Say who you are, by name and password\n{HINT}"),
        ({"ACCEL_USER": "max"}, "summary", 2, "ACCEL_USER is set and ACCEL_PASSWORD is not"),
    ],
)
def test_a_user_signs_in_by_name_and_password(
    variables: dict[str, str], line: str, code: int, said: str, with_users: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = asked(with_users, line, variables, monkeypatch)

    assert outcome.code == code, outcome.err
    assert said in outcome.err


@pytest.mark.parametrize(
    ("name", "line", "code", "said"),
    [
        ("manager", "device list -f json", 0, ""),
        ("admin", f"device enable {uuid(1, 1)}", 0, ""),
        ("member", "device list", 4, "Policy does not allow"),
        ("sysadmin", "device list", 4, "ask with a token that is scoped to one"),
        ("nosuch", "device list", 4, f"The request you have made requires authentication.\n{HINT}"),
    ],
)
def test_a_token_of_openstack_is_sent(
    name: str, line: str, code: int, said: str, with_tokens: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = asked(with_tokens, line, token(name, with_tokens), monkeypatch)

    assert outcome.code == code, outcome.err
    assert said in outcome.err


def test_a_named_cloud_comes_before_the_variables_of_accel(
    with_tokens: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clouds = tmp_path / "clouds.yaml"
    clouds.write_text(
        f"clouds: {{ours: {{auth_type: admin_token, auth: {{endpoint: '{with_tokens}', token: <manager>}}}}}}\n"
    )

    variables = user("max") | {"OS_CLIENT_CONFIG_FILE": str(clouds)}
    assert asked(with_tokens, "--os-cloud ours summary", variables, monkeypatch).code == 0


@pytest.mark.parametrize(
    ("line", "variables", "code", "said"),
    [
        ("--os-cloud nosuch summary", {}, 2, "nosuch"),
        (
            "summary",
            {"OS_AUTH_URL": "http://127.0.0.1:1", "OS_USERNAME": "x", "OS_PASSWORD": "x"},
            1,
            "signing in to OpenStack failed",
        ),
    ],
)
def test_a_cloud_that_cannot_be_signed_in_to_is_told(
    line: str, variables: dict[str, str], code: int, said: str, with_tokens: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = asked(with_tokens, line, variables, monkeypatch)

    assert outcome.code == code, outcome.err
    assert said in outcome.err
    assert "Traceback" not in outcome.err


def test_a_bind_needs_the_token_of_a_service_and_says_where_it_goes(
    with_tokens: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = asked(with_tokens, "deployable show -f json beta_FakeDevice", token("manager", with_tokens), monkeypatch)
    member = token("member", with_tokens)
    made = asked(with_tokens, "request create gold -f value -c uuid", member, monkeypatch).out.strip()
    line = f"request bind {made} --provider {place.json['rp_uuid']} --host beta --instance vm-1"

    refused = asked(with_tokens, line, member, monkeypatch)
    assert refused.code == 4
    assert refused.err.endswith(
        "With Keystone, a token of a user who has the role service goes into OS_SERVICE_TOKEN; where users are kept in "
        "files, sign in as one who has that role\n"
    )

    with_service = member | {"OS_SERVICE_TOKEN": "<nova>"}
    assert asked(with_tokens, line, with_service, monkeypatch).code == 0
    (spec,) = asked(with_tokens, f"attach-spec {made}", with_service, monkeypatch).json
    assert (spec["node"], spec["device"], spec["formats"]) == ("beta", None, {})
    assert asked(with_tokens, f"request delete {made}", with_service, monkeypatch).code == 0


def test_a_service_that_is_a_user_in_files_binds(with_users: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = asked(with_users, "request create gold -f value -c uuid", user("zoë"), monkeypatch).out.strip()
    line = f"request bind {made} --deployable beta_FakeDevice --instance vm-1"
    assert asked(with_users, line, user("zoë"), monkeypatch).code == 4
    assert asked(with_users, line, user("eva"), monkeypatch).code == 0
