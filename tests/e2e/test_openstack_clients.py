"""OpenStack's own clients work with the API as they are: openstacksdk and ``openstack accelerator``."""

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.populated import populate, uuid
from support.served import served

from accel.db.engine import Database

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what these libraries import of one another is old; it is not ours to mend
    import openstack
    from openstack import exceptions

# Deprecations among these libraries are theirs to mend.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::PendingDeprecationWarning")

OPENSTACK = Path(sys.executable).with_name("openstack")
# The catalog's URL as OpenStack's deployments have it, as a stand-alone service has it, and without a version.
MOUNTS = ["/accelerator/v2", "/accelerator", "/v2", ""]


@pytest.fixture
def url(database: Database) -> Iterator[str]:
    populate(database)
    with served(database) as url:
        yield url


def _connect(endpoint: str, **settings: Any) -> openstack.connection.Connection:
    return openstack.connection.Connection(
        auth_type="none", accelerator_endpoint_override=endpoint, auth={"endpoint": endpoint}, **settings
    )


@pytest.mark.parametrize("mount", MOUNTS)
def test_the_sdk_finds_versions_from_any_url(mount: str, url: str) -> None:
    with _connect(url + mount) as cloud:
        found = cloud.accelerator.get_endpoint_data()

    assert found.api_version == (2, 0)
    assert (found.min_microversion, found.max_microversion) == ((2, 0), (2, 4))


@pytest.mark.parametrize("mount", MOUNTS)
def test_the_sdk_lists_and_shows_through_discovery(mount: str, url: str) -> None:
    with _connect(url + mount, accelerator_default_microversion="2.3") as cloud:
        devices = list(cloud.accelerator.devices())
        device = cloud.accelerator.get_device(uuid(1, 1))
        deployables = list(cloud.accelerator.deployables())
        deployable = cloud.accelerator.get_deployable(uuid(2, 5))
        attributes = list(cloud.accelerator.attributes())
        attribute = cloud.accelerator.get_attribute(uuid(3, 3))

    assert (len(devices), len(deployables), len(attributes)) == (5, 5, 7)
    assert (device.id, device.type, device.hostname) == (uuid(1, 1), "GPU", "alpha")
    assert (deployable.id, deployable.name) == (uuid(2, 5), "beta_FakeDevice")
    assert (attribute.id, attribute.key, attribute.value) == (uuid(3, 3), "rc", "FPGA")


def test_the_sdk_pages_to_the_end(url: str) -> None:
    with _connect(f"{url}/v2") as cloud:
        assert len(list(cloud.accelerator.devices(limit=2))) == 5
        assert len(list(cloud.accelerator.devices(limit=5))) == 5


def test_the_sdk_disables_and_enables(url: str) -> None:
    with _connect(f"{url}/accelerator/v2", accelerator_default_microversion="2.3") as cloud:
        cloud.accelerator.disable_device(uuid(1, 1))
        assert cloud.accelerator.get(f"/devices/{uuid(1, 1)}").json()["status"] == "maintaining"
        cloud.accelerator.enable_device(uuid(1, 1))
        assert cloud.accelerator.get(f"/devices/{uuid(1, 1)}").json()["status"] == "enabled"


def test_the_sdk_makes_and_deletes_attributes(url: str) -> None:
    with _connect(f"{url}/v2") as cloud:
        made = cloud.accelerator.create_attribute(deployable_id=uuid(2, 5), key="gold", value="en")
        assert made.value == "en"
        cloud.accelerator.delete_attribute(made.id, ignore_missing=False)
        with pytest.raises(exceptions.NotFoundException):
            cloud.accelerator.get_attribute(made.id)


@pytest.mark.parametrize("version", ["2.0", "2.4"])
def test_the_sdk_shows_what_an_error_says(version: str, url: str) -> None:
    with (
        _connect(f"{url}/v2", accelerator_default_microversion=version) as cloud,
        pytest.raises(exceptions.NotFoundException, match="Device not found: nosuch"),
    ):
        cloud.accelerator.get_device("nosuch")


def test_the_sdk_is_told_that_there_is_no_such_image(url: str) -> None:
    patch = [{"path": "/program", "op": "replace", "value": [{"image_uuid": uuid(9, 1)}]}]

    with (
        _connect(f"{url}/v2") as cloud,
        pytest.raises(exceptions.NotFoundException, match="Image not found"),
    ):
        cloud.accelerator.patch_deployable(uuid(2, 5), patch)


@pytest.mark.parametrize("version", [None, "2.0", "2.3", "2.4"])
def test_the_sdk_makes_lists_shows_and_deletes_device_profiles(version: str | None, url: str) -> None:
    groups = [{"resources:FPGA": "1", "trait:CUSTOM_FAKE_DEVICE": "required"}]

    with _connect(f"{url}/v2", accelerator_default_microversion=version) as cloud:
        made = cloud.accelerator.create_device_profile(name="mine", groups=groups, description="ours")
        shown = cloud.accelerator.get_device_profile(made.id)
        names = [profile.name for profile in cloud.accelerator.device_profiles()]
        cloud.accelerator.delete_device_profile(made.id, ignore_missing=False)
        with pytest.raises(exceptions.NotFoundException):
            cloud.accelerator.delete_device_profile(made.id, ignore_missing=False)

    assert (made.groups, shown.groups, shown.description) == (groups, groups, "ours")
    assert (shown.id, shown.name) == (made.id, "mine")
    assert names == ["gold", "secret", "mine"]


@pytest.mark.parametrize("version", [None, "2.0", "2.3", "2.4"])
def test_the_sdk_makes_binds_unbinds_and_deletes_accelerator_requests(version: str | None, url: str) -> None:
    instance = "00000000-1111-4000-8000-000000000001"
    with _connect(f"{url}/v2", accelerator_default_microversion=version) as cloud:
        values = {"hostname": "beta", "device_rp_uuid": uuid(9, 5), "instance_uuid": instance}
        made = cloud.accelerator.create_accelerator_request(device_profile_name="gold")
        bind = [{"path": f"/{name}", "op": "add", "value": value} for name, value in values.items()]
        cloud.accelerator.update_accelerator_request(made.uuid, bind)
        bound = cloud.accelerator.get_accelerator_request(made.uuid)
        listed = [arq.uuid for arq in cloud.accelerator.accelerator_requests()]
        cloud.accelerator.update_accelerator_request(made.uuid, [{"path": "/hostname", "op": "remove"}])
        unbound = cloud.accelerator.get_accelerator_request(made.uuid)
        cloud.accelerator.delete_accelerator_request(made.uuid, ignore_missing=False)
        with pytest.raises(exceptions.NotFoundException, match="Accelerator request"):
            cloud.accelerator.get_accelerator_request(made.uuid)

    assert (made.state, made.device_profile_name, made.device_profile_group_id) == ("Initial", "gold", 0)
    assert (bound.state, bound.attach_handle_type, bound.instance_uuid) == ("Bound", "TEST_PCI", instance)
    assert (unbound.state, unbound.attach_handle_type, unbound.instance_uuid) == ("Unbound", "", None)
    assert made.uuid in listed


@pytest.mark.parametrize(
    ("name", "groups", "error"),
    [
        ("", [{"resources:FPGA": "1"}], exceptions.HttpException),
        ("gold", [{"resources:FPGA": "1"}], exceptions.ConflictException),
        ("mine", [], exceptions.BadRequestException),
    ],
)
def test_the_sdk_is_told_what_is_wrong_in_a_device_profile(
    name: str, groups: list[dict[str, str]], error: type[Exception], url: str
) -> None:
    with _connect(f"{url}/v2") as cloud, pytest.raises(error, match=r"name|groups"):
        cloud.accelerator.create_device_profile(name=name, groups=groups)


def test_the_openstack_command_makes_lists_shows_and_deletes_device_profiles(url: str) -> None:
    profile = ("accelerator", "device", "profile")
    made = _openstack(url, *profile, "create", "mine", "--group", "resources:FPGA=1,trait:CUSTOM_X=required")
    by_name = _openstack(url, "--os-accelerator-api-version", "2.2", *profile, "show", "mine")
    listed = _openstack(url, *profile, "list")
    _run_openstack(url, *profile, "delete", "mine")

    assert made["name"] == by_name["name"] == "mine"
    assert by_name["uuid"] == made["uuid"]
    assert len(listed) == 3
    assert len(_openstack(url, *profile, "list")) == 2


def test_the_openstack_command_lists_devices(url: str) -> None:
    assert len(_openstack(url, "accelerator", "device", "list")) == 5


def test_the_openstack_command_shows_the_status_of_a_device(url: str) -> None:
    shown = _openstack(url, "--os-accelerator-api-version", "2.3", "accelerator", "device", "show", uuid(1, 5))

    assert shown["status"] == "maintaining"


def _openstack(url: str, *words: str) -> Any:
    return json.loads(_run_openstack(url, *words, "-f", "json"))


def _run_openstack(url: str, *words: str) -> str:
    command = [str(OPENSTACK), "--os-auth-type", "none", "--os-endpoint", f"{url}/v2", *words]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=clean, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout
