"""Users in files: who is let in, as what, and what is said about a file with a mistake in it."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.api import NEWEST, Client, client, fault
from support.databases import migrated
from support.populated import populate, uuid
from support.users import ROLES, write_users

from accel import conf as configuration
from accel.api.accounts import read_accounts
from accel.api.identity import check_identity
from accel.cmd.api import check_access
from accel.errors import ConfigurationError

# What `htpasswd -nbB mia opensesame` of Apache 2.4 wrote.
OF_APACHE = "$2y$05$C44thAP4/Ue4KSLinH.G8.6K6D9cLTu8iWeZFl.QES1haawZqeiue"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    directory = tmp_path_factory.mktemp("users")
    with migrated("sqlite", directory) as database:
        populate(database)
        yield client(database, "--config-file", str(write_users(directory)))


def basic(name: str, password: str | None = None) -> dict[str, str]:
    text = f"{name}:{name * 2 if password is None else password}".encode()
    return NEWEST | {"Authorization": f"Basic {base64.b64encode(text).decode()}"}


@pytest.mark.parametrize(
    ("name", "reads", "disables"),
    [("ada", 200, 204), ("max", 200, 403), ("mia", 403, 403), ("rita", 403, 403), ("nova", 403, 403)],
)
def test_a_user_may_what_the_roles_say(name: str, reads: int, disables: int, api: Client) -> None:
    for _ in range(2):  # the second time from what was remembered
        assert api.request("GET", "/v2/devices", headers=basic(name)).status_int == reads
    assert api.request("POST", f"/v2/devices/{uuid(1, 1)}/disable", headers=basic(name)).status_int == disables


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("ada", "wrong"),
        basic("ada", ""),
        basic("ada", "x" * 100),
        basic("nosuch"),
        basic(""),
        {"Authorization": "Basic"},
        {"Authorization": "Basic ***"},
        {"Authorization": "Basic /w=="},
        {"Authorization": "Bearer x"},
        {"X-Auth-Token": "x", "X-Roles": "admin", "X-Project-Id": "research"},
    ],
    ids=str,
)
def test_whoever_is_no_user_is_asked_for_name_and_password(headers: dict[str, str], api: Client) -> None:
    api.get("/v2/devices", **basic("ada"))  # that somebody was right before helps nobody else
    answer = api.request("GET", "/v2/devices", headers=headers)

    assert answer.status_int == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")
    assert answer.content_type == "application/json"
    assert fault(answer)


@pytest.mark.parametrize("path", ["/", "/v2", "/openapi.json", "/healthcheck", "/metrics"])
def test_documents_need_no_password(path: str, api: Client) -> None:
    assert api.request("GET", path).status_int == 200


def test_headers_of_keystone_change_nobody(api: Client) -> None:
    headers = basic("mia") | {"X-Roles": "admin", "X-Project-Id": "research", "X-Identity-Status": "Confirmed"}

    assert api.request("GET", "/v2/devices", headers=headers).status_int == 403


def test_an_event_names_the_user(api: Client) -> None:
    api.request("POST", f"/v2/devices/{uuid(1, 2)}/disable", headers=basic("ada"))

    (event,) = api.get(f"/v2/events?kind=device.disabled&device={uuid(1, 2)}", **basic("max"))["events"]
    assert event["source"] == "api:ada"


def test_what_apache_writes_is_read(tmp_path: Path) -> None:
    (tmp_path / "htpasswd").write_text(f"mia:{OF_APACHE}\n")
    (tmp_path / "roles").write_text("mia:teaching:member\n")
    accounts = read_accounts(tmp_path / "htpasswd", tmp_path / "roles")

    assert accounts.authenticate("mia", b"opensesame") is not None
    assert accounts.authenticate("mia", b"opensesam") is None


def test_roles_imply_the_lower_ones(tmp_path: Path) -> None:
    write_users(tmp_path)
    accounts = read_accounts(tmp_path / "htpasswd", tmp_path / "roles")

    found = {name: accounts.authenticate(name, (name * 2).encode()) for name in ROLES}
    assert {name: account.roles for name, account in found.items() if account} == {
        "ada": ("admin", "manager", "member", "reader"),
        "max": ("manager", "member", "reader"),
        "mia": ("member", "reader"),
        "rita": ("reader",),
        "nova": ("service",),
    }


USER = f"ada:{OF_APACHE}\n"


@pytest.mark.parametrize(
    ("users", "roles", "said"),
    [
        ("", "", "htpasswd: has no user"),
        (f"{USER}\nbob:{{SHA}}x\n", "", "htpasswd:3: no hash of bcrypt"),
        (f"{USER}bob\n", "", "htpasswd:2: no hash of bcrypt"),
        (f"{USER}{USER}", "", "htpasswd:2: user ada has a line above"),
        (f"{'x' * 65}:{OF_APACHE}", "", "htpasswd:1: a name has at most 64 characters"),
        (USER, "", "htpasswd:1: user ada has no line in"),
        (USER, "ada:research:admin\nbob:research:admin\n", "roles:2: user bob has no password in"),
        (USER, "# who\nada:research\n", "roles:2: write name:project:role,role"),
        (USER, "ada::admin\n", "roles:1: write name:project:role,role"),
        (USER, "ada:research:admin,,\n", "roles:1: write name:project:role,role"),
        (USER, None, "role_file = .*: No such file"),
        (None, "", "user_file = .*: No such file"),
        ("\udcff", "", "user_file = .*: is not UTF-8"),
    ],
)
def test_a_mistake_is_told_with_its_file_and_line(
    users: str | None, roles: str | None, said: str, tmp_path: Path
) -> None:
    config = write_users(tmp_path)
    for name, text in (("htpasswd", users), ("roles", roles)):
        if text is None:
            (tmp_path / name).unlink()
        else:
            (tmp_path / name).write_text(text, errors="surrogateescape")

    with pytest.raises(ConfigurationError, match=said):
        check_identity(configuration.load([], prog="accel-api", default_config_files=[str(config)]))


def test_with_users_it_may_listen_anywhere(tmp_path: Path) -> None:
    config = write_users(tmp_path, more=["host = 0.0.0.0"])

    check_access(configuration.load([], prog="accel-api", default_config_files=[str(config)]))


@pytest.mark.parametrize(
    ("group", "said"),
    [
        ("", "auth_type is not set"),
        ("auth_type = nosuch\n", "nosuch"),
        ("auth_type = password\nusername = accel\n", "auth"),
    ],
)
def test_keystone_without_what_it_needs_is_told_at_the_start(group: str, said: str, tmp_path: Path) -> None:
    config = tmp_path / "accel.conf"
    config.write_text(f"[api]\nauth_strategy = keystone\n[keystone_authtoken]\n{group}")

    with pytest.raises(ConfigurationError, match=rf"\[keystone_authtoken\].*{said}"):
        check_identity(configuration.load([], prog="accel-api", default_config_files=[str(config)]))
