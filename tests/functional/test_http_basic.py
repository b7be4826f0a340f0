"""Users in files: who is let in, as what, and what is said about a file with a mistake in it."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.api import NEWEST, Client, client, fault
from support.claimable import NODE, add_claimable, instance, provider
from support.clocks import Seconds
from support.databases import migrated
from support.populated import populate, uuid
from support.users import ROLES, write_users
from support.waiting import until

from accel import conf as configuration
from accel.api.accounts import AccountFiles, read_accounts
from accel.api.identity import check_identity
from accel.cmd.api import check_access
from accel.db.engine import Database
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


def test_a_service_binds_for_its_project(database: Database, tmp_path: Path) -> None:
    add_claimable(database)
    config = write_users(tmp_path, {"mia": "own:member", "nova": "own:member,service", "other": "foreign:service"})
    api = client(database, "--config-file", str(config))
    values = {"hostname": NODE, "device_rp_uuid": provider(1), "instance_uuid": instance(11)}
    bind = {uuid(8, 1): [{"path": f"/{name}", "op": "add", "value": value} for name, value in values.items()]}
    path = "/v2/accelerator_requests"

    forged = {"X-Service-Roles": "service", "X-Service-Token": "x"}
    assert "requires a service token" in fault(api.send("PATCH", path, bind, **basic("mia"), **forged))
    assert api.send("PATCH", path, bind, **basic("other")).status_int == 404
    assert api.send("PATCH", path, bind, **basic("nova")).status_int == 202
    assert api.get(f"{path}/{uuid(8, 1)}", **basic("mia"))["state"] == "Bound"
    assert api.request("DELETE", f"{path}/{uuid(8, 1)}", headers=basic("mia")).status_int == 403
    deleted = api.request("DELETE", f"{path}?instance={instance(11)}", headers=basic("nova"))
    assert deleted.status_int == 204


def test_a_change_of_the_files_is_seen_within_a_second(tmp_path: Path) -> None:
    write_users(tmp_path, {"mia": "teaching:member", "max": "research:manager"})
    clock = Seconds()
    accounts = AccountFiles(tmp_path / "htpasswd", tmp_path / "roles", clock=clock)
    accounts.read()
    assert accounts.authenticate("mia", b"miamia") is not None

    write_users(tmp_path, {"max": "research:admin"})
    assert accounts.authenticate("mia", b"miamia") is not None
    clock.now += 1
    assert accounts.authenticate("mia", b"miamia") is None
    found = accounts.authenticate("max", b"maxmax")
    assert found is not None
    assert "admin" in found.roles


@pytest.mark.parametrize("name", ["htpasswd", "roles"])
def test_while_there_is_a_mistake_users_stay_as_they_were(name: str, tmp_path: Path) -> None:
    write_users(tmp_path, {"mia": "teaching:member"})
    clock = Seconds()
    accounts = AccountFiles(tmp_path / "htpasswd", tmp_path / "roles", clock=clock)
    accounts.read()

    right = (tmp_path / name).read_text()
    for mistake in ("new line\n", None):
        if mistake is None:
            (tmp_path / name).unlink()
        else:
            (tmp_path / name).write_text(mistake)
        clock.now += 1
        assert accounts.authenticate("mia", b"miamia") is not None

    (tmp_path / name).write_text(right.replace("mia:", "ida:"))
    clock.now += 1
    assert accounts.authenticate("mia", b"miamia") is not None
    write_users(tmp_path, {"ida": "teaching:member"})
    clock.now += 1
    assert accounts.authenticate("mia", b"miamia") is None
    assert accounts.authenticate("ida", b"idaida") is not None


def test_the_service_sees_a_change(database: Database, tmp_path: Path) -> None:
    api = client(database, "--config-file", str(write_users(tmp_path)))
    assert api.request("GET", "/v2/devices", headers=basic("max")).status_int == 200

    write_users(tmp_path, {"max": "research:member"})
    until(lambda: api.request("GET", "/v2/devices", headers=basic("max")).status_int == 403)


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
