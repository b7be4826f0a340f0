"""What the spdk driver does to an application: who is let in, what is made and removed; and how fit its drives are."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.spdk import Application, bdev, running, subsystem, vhost_blk

from accel.drivers.base import Host
from accel.drivers.spdk import SpdkDriver
from accel.errors import ActFailed, ActRefused, DeviceGone, DriverUnavailable, NotVerified
from accel.model.device import AttachHandle, Deployable, Device, HandleType, Health, host_nqn
from accel.model.validate import signal_problems
from accel.testing.driver_contract import options

CNODE, MADE = "nqn.2016-06.io.spdk:cnode1", "nqn.2026-11.internal.accel:node-1:Malloc0"
SOCKET = "var/tmp/spdk.sock"
KEY, OTHER_KEY = "0c1ad8a8-21cf-4c0e-a7c3-4de0b3f4f001", "0c1ad8a8-21cf-4c0e-a7c3-4de0b3f4f002"
HOST = host_nqn(KEY)


class Part:
    """A part of the application, and the driver that hands it out."""

    def __init__(self, root: Path, name: str, **values: object) -> None:
        self.driver = SpdkDriver(Host(name="node-1", root=root), options(SpdkDriver, timeout_seconds=1, **values))
        self.device: Device
        (self.device,) = self.driver.discover()
        self.deployable: Deployable
        (self.deployable,) = (part for part in self.device.deployables if part.name.endswith(f"_{name}"))
        self.handle: AttachHandle
        (self.handle,) = self.deployable.handles

    def prepare(self, key: str = KEY) -> None:
        self.driver.prepare(self.device, self.deployable, self.handle, key)

    def release(self, key: str = KEY) -> None:
        self.driver.release(self.device, self.deployable, self.handle, key)


@pytest.fixture
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("h")


@pytest.fixture
def application(root: Path) -> Iterator[Application]:
    """One with a subsystem and a vhost disk of the operator's, and a block device that nothing shows."""
    application = Application().add(bdev("Malloc0"), bdev("Malloc1"), bdev("Malloc2"))
    application.add(subsystem(CNODE, "Malloc1"), vhost_blk("vhost.0", "Malloc2"))
    with running(application, root / SOCKET):
        yield application


def of_operator(root: Path) -> Part:
    return Part(root, CNODE)


def made(root: Path) -> Part:
    return Part(root, "Malloc0", export="nvmf", listen="TCP:192.0.2.1:4420")


def disk(root: Path, directory: str = "/run/vhost") -> Part:
    return Part(root, "Malloc0", export="vhost", vhost_directory=directory)


def hosts(application: Application, nqn: str) -> list[str]:
    return [host["nqn"] for host in application.subsystems[nqn]["hosts"]]


# --- a subsystem of the operator's ---


def test_whoever_holds_a_subsystem_is_let_in_by_a_name_that_is_the_handle_s(
    application: Application, root: Path
) -> None:
    part = of_operator(root)
    part.prepare()
    part.prepare()
    assert hosts(application, CNODE) == [HOST]
    assert application.calls.count("nvmf_subsystem_add_host") == 1


def test_a_subsystem_lets_one_holder_in_only(application: Application, root: Path) -> None:
    part = of_operator(root)
    part.prepare(OTHER_KEY)
    with pytest.raises(ActRefused, match=f"lets in {host_nqn(OTHER_KEY)}"):
        part.prepare()
    part.release()
    assert hosts(application, CNODE) == [host_nqn(OTHER_KEY)]


def test_a_subsystem_that_any_host_may_connect_to_by_now_is_refused(application: Application, root: Path) -> None:
    part = of_operator(root)
    application.subsystems[CNODE]["allow_any_host"] = True
    with pytest.raises(ActRefused, match="lets in any host"):
        part.prepare()
    assert hosts(application, CNODE) == []


def test_release_shuts_the_holder_out_and_leaves_the_subsystem(application: Application, root: Path) -> None:
    part = of_operator(root)
    before = part.driver.discover()
    part.prepare()
    part.release()
    part.release()
    assert part.driver.discover() == before
    assert hosts(application, CNODE) == []


def test_a_holder_that_stays_connected_is_no_release(application: Application, root: Path) -> None:
    part = of_operator(root)
    part.prepare()
    application.connected[CNODE] = [HOST]
    with pytest.raises(NotVerified, match="is still connected"):
        part.release()
    application.connected = {}
    part.release()


def test_an_application_that_does_not_tell_who_is_connected_is_believed(application: Application, root: Path) -> None:
    application.unknown = {"nvmf_subsystem_get_controllers"}
    part = of_operator(root)
    part.prepare()
    part.release()
    assert hosts(application, CNODE) == []


def test_what_is_gone_by_now_cannot_be_had(application: Application, root: Path) -> None:
    part = of_operator(root)
    del application.subsystems[CNODE]
    with pytest.raises(DeviceGone, match="does not hand out"):
        part.prepare()


# --- a block device as a subsystem that is made for it ---


def test_a_block_device_becomes_a_subsystem_of_its_own_and_is_one_no_more(application: Application, root: Path) -> None:
    part = made(root)
    before = part.driver.discover()
    part.prepare()
    part.prepare()
    there = application.subsystems[MADE]
    assert [one["bdev_name"] for one in there["namespaces"]] == ["Malloc0"]
    assert there["listen_addresses"] == [{"trtype": "TCP", "adrfam": "IPv4", "traddr": "192.0.2.1", "trsvcid": "4420"}]
    assert (hosts(application, MADE), there["allow_any_host"], len(there["serial_number"])) == ([HOST], False, 20)
    assert part.driver.discover() == before, "what is handed out looks the same to whoever reads the inventory"
    part.release()
    part.release()
    assert MADE not in application.subsystems
    assert not application.bdevs["Malloc0"]["claimed"]


@pytest.mark.parametrize("done", range(1, 4))
def test_what_was_broken_off_half_way_is_finished(application: Application, root: Path, done: int) -> None:
    """An agent may die between any two calls."""
    part = made(root)
    part.prepare()
    there = application.subsystems[MADE]
    for what, since in (("hosts", 4), ("listen_addresses", 3), ("namespaces", 2)):
        if done < since:
            there[what] = []
    application.bdevs["Malloc0"]["claimed"] = bool(there["namespaces"])
    part.prepare()
    assert (len(there["namespaces"]), len(there["listen_addresses"]), hosts(application, MADE)) == (1, 1, [HOST])


def test_without_the_transport_nothing_is_left_behind(application: Application, root: Path) -> None:
    application.transports = {"RDMA"}
    part = made(root)
    with pytest.raises(ActRefused, match="does the application have the transport TCP"):
        part.prepare()
    assert MADE not in application.subsystems
    assert not application.bdevs["Malloc0"]["claimed"]


def test_what_cannot_be_undone_leaves_the_state_unknown(application: Application, root: Path) -> None:
    application.transports = {"RDMA"}
    application.unknown = {"nvmf_delete_subsystem"}
    with pytest.raises(ActFailed, match="Method not found") as caught:
        made(root).prepare()
    assert not isinstance(caught.value, ActRefused)


def test_an_application_that_goes_away_on_the_way_leaves_the_state_unknown(
    application: Application, root: Path
) -> None:
    part = made(root)
    application.answers["nvmf_subsystem_add_ns"] = b""
    with pytest.raises(ActFailed, match="went away during nvmf_subsystem_add_ns") as caught:
        part.prepare()
    assert not isinstance(caught.value, ActRefused)


def test_an_application_that_is_away_before_anything_is_done_is_unavailable(
    application: Application, root: Path
) -> None:
    part = made(root)
    application.answers["bdev_get_bdevs"] = b""
    with pytest.raises(DriverUnavailable):
        part.prepare()


# --- vhost ---


def test_a_block_device_becomes_a_vhost_disk_and_is_one_no_more(application: Application, root: Path) -> None:
    part = disk(root)
    before = part.driver.discover()
    assert part.handle.type is HandleType.VHOST_USER
    part.prepare()
    part.prepare()
    assert application.vhosts["accel.Malloc0"]["socket"] == part.handle.info["path"]
    assert part.driver.discover() == before
    part.release()
    part.release()
    assert "accel.Malloc0" not in application.vhosts


def test_a_vhost_disk_that_is_in_use_is_not_taken_away(application: Application, root: Path) -> None:
    part = disk(root)
    part.prepare()
    application.attached = {"accel.Malloc0"}
    with pytest.raises(ActRefused, match="a virtual machine may still be connected"):
        part.release()


def test_sockets_at_another_place_than_the_option_says_are_told(application: Application, root: Path) -> None:
    part = disk(root, "/srv/vhost")
    with pytest.raises(ActRefused, match=r"as /run/vhost/accel\.Malloc0, not as /srv.*mend \[spdk\] vhost_directory"):
        part.prepare()
    assert "accel.Malloc0" not in application.vhosts


def test_a_vhost_controller_of_the_operator_s_is_left_alone(application: Application, root: Path) -> None:
    part = Part(root, "vhost.0")
    part.prepare()
    part.release()
    assert "vhost.0" in application.vhosts
    assert not [call for call in application.calls if "create" in call or "delete" in call]


# --- health ---


def signals(part: Part) -> dict[str, tuple[Health, str]]:
    assert signal_problems(list(part.driver.examine(part.device))) == []
    return {signal.source: (signal.value, signal.text) for signal in part.driver.examine(part.device)}


def test_the_drives_of_an_application_tell_how_fit_they_are(application: Application, root: Path) -> None:
    application.health = {
        "Nvme0": {
            "temperature_celsius": 32,
            "available_spare_percentage": 99,
            "available_spare_threshold_percentage": 10,
            "percentage_used": 2,
            "media_errors": "17",
        },
        "Nvme1": {"available_spare_percentage": 9, "available_spare_threshold_percentage": 10},
        "Nvme2": {},
    }
    assert signals(of_operator(root)) == {
        "spdk": (Health.HEALTHY, "SPDK v24.09"),
        "spdk.smart.nvme0": (Health.HEALTHY, "99% spare; 2% of its life used; 17 media errors"),
        "spdk.smart.nvme1": (Health.UNHEALTHY, "its spare capacity is below the threshold; 9% spare"),
        "spdk.smart.nvme2": (
            Health.UNKNOWN,
            "bdev_nvme_get_controller_health_info: Internal error (-32603)",
        ),
        "temperature": (Health.HEALTHY, "Nvme0 32 °C"),
    }


def test_an_application_that_drives_no_nvme_tells_of_itself_only(application: Application, root: Path) -> None:
    application.unknown = {"bdev_nvme_get_controllers"}
    assert list(signals(of_operator(root))) == ["spdk"]


def test_an_application_that_does_not_answer_is_of_unknown_health(application: Application, root: Path) -> None:
    part = of_operator(root)
    application.answers["spdk_get_version"] = b""
    ((health, text),) = signals(part).values()
    assert health is Health.UNKNOWN
    assert "went away during spdk_get_version" in text
