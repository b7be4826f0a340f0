"""A small OpenStack cloud: a real Keystone with users, our API in its catalog, and stand-ins for Nova and Glance."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import requests
from oslo_config import cfg
from support.databases import migrated
from support.keystone import Keystone, in_default_domain, running_keystone
from support.nova import VERSION, StandInNova, running_nova
from support.populated import populate
from support.served import served_application
from support.stand_in_glance import stand_in_glance

from accel import conf as configuration
from accel.api.app import make_app
from accel.cmd.conductor_parts import Neighbours, make_claims, make_notifier
from accel.conductor.nova import connect
from accel.db.engine import Database
from accel.rpc.local import LocalClaims

OWN = {"project": in_default_domain("own")}
ROLES = ("admin", "manager", "member", "reader", "service")


@dataclass(frozen=True, slots=True)
class Cloud:
    """What runs. The user ``member1`` has the role member in the project ``own``, and so on for each role."""

    keystone: Keystone
    url: str
    """Of our API, without a version."""
    nova: StandInNova

    def status(self, method: str, path: str, token: str, **headers: str) -> int:
        """What our API makes of a token."""
        sent = {"X-Auth-Token": token, **headers}
        return requests.request(method, f"{self.url}/v2{path}", headers=sent, timeout=60).status_code

    def token_of(self, name: str) -> str:
        """A token for the project ``own``; a user's password is the name twice."""
        return self.keystone.token(name, name * 2, **OWN)

    def variables_of(self, name: str, password: str | None = None) -> dict[str, str]:
        """What a user of command lines has in the environment."""
        return {
            "OS_AUTH_URL": self.keystone.url,
            "OS_USERNAME": name,
            "OS_PASSWORD": password or name * 2,
            "OS_PROJECT_NAME": "own",
            "OS_USER_DOMAIN_ID": "default",
            "OS_PROJECT_DOMAIN_ID": "default",
            "OS_IDENTITY_API_VERSION": "3",
        }


@contextmanager
def running_cloud(directory: Path) -> Iterator[Cloud]:
    """A cloud whose accelerators are those of ``support.populated``, which answers within the block."""
    homes = [directory / name for name in ("keystone", "accel")]
    for home in homes:
        home.mkdir()
    with running_keystone(homes[0]) as keystone, running_nova() as nova, stand_in_glance() as glance:
        _add_users(keystone)
        conf = _configured(homes[1], keystone)
        with migrated("sqlite", homes[1]) as database, _served(database, conf) as url:
            populate(database)
            places = {"accelerator": f"{url}/v2", "compute": f"{nova.url}{VERSION}", "image": glance}
            for kind, place in places.items():
                service = keystone.make("service", name=kind, type=kind)
                keystone.make("endpoint", service_id=service, interface="public", url=place)
            yield Cloud(keystone, url, nova)


def _add_users(keystone: Keystone) -> None:
    project = keystone.make("project", name="own", domain_id="default")
    for name in ROLES:
        user = keystone.make("user", name=f"{name}1", password=f"{name}1" * 2, domain_id="default")
        role = keystone.id_of("role", name)
        keystone.call("PUT", f"/projects/{project}/users/{user}/roles/{role}")
        if name == "admin":
            keystone.call("PUT", f"/system/users/{user}/roles/{role}")
            keystone.call("PUT", f"/domains/default/users/{user}/roles/{role}")


def _configured(directory: Path, keystone: Keystone) -> cfg.ConfigOpts:
    signs_in = (
        f"auth_type = password\nauth_url = {keystone.url}\nusername = service1\npassword = service1service1\n"
        "project_name = own\nuser_domain_id = default\nproject_domain_id = default\n"
    )
    path = directory / "accel.conf"
    path.write_text(
        "[api]\nauth_strategy = keystone\n"
        f"[keystone_authtoken]\n{signs_in}www_authenticate_uri = {keystone.url}\n[nova]\n{signs_in}"
    )
    return configuration.load(["--config-file", str(path)], prog="accel-api")


@contextmanager
def _served(database: Database, conf: cfg.ConfigOpts) -> Iterator[str]:
    """The URL of an API with a conductor in the same process, which tells Nova."""
    stop = Event()
    with ThreadPoolExecutor(1) as workers:
        nova = connect(conf)
        notifier = make_notifier(database, nova, conf, stop)
        assert notifier is not None
        claims = make_claims(database, conf, workers, Neighbours(nova=nova, notifier=notifier))
        with served_application(make_app(database, conf, LocalClaims(claims))) as url:
            notifier.start()
            try:
                yield url
            finally:
                notifier.stop()
