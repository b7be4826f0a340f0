"""The spdk driver: what it makes of what an application says, and of one that says nothing."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.spdk import Application, bdev, running, subsystem, vhost_blk

from accel.agent.merge import merge
from accel.drivers.base import Host
from accel.drivers.nvme import NvmeDriver
from accel.drivers.spdk import SpdkDriver
from accel.drivers.spdk.client import Refused, SpdkClient
from accel.errors import DriverFailure, DriverUnavailable
from accel.model.device import Deployable, DeployableKind, Device, DeviceType, HandleType, Health, Presence
from accel.model.report import DriverReport
from accel.model.validate import problems
from accel.testing.driver_contract import options
from accel.testing.host_tree import HostTree, PciRow

GIB = 1 << 30
CNODE = "nqn.2016-06.io.spdk:cnode1"
SOCKET = "var/tmp/spdk.sock"
NVMF = {"export": "nvmf", "listen": "TCP:192.0.2.1:4420"}


@pytest.fixture
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short one: the path of a socket has 107 bytes at most."""
    return tmp_path_factory.mktemp("h")


@pytest.fixture
def application(root: Path) -> Iterator[Application]:
    with running(Application(), root / SOCKET) as application:
        yield application


def driver(root: Path, **values: object) -> SpdkDriver:
    return SpdkDriver(Host(name="node-1", root=root), options(SpdkDriver, **values))


def look(root: Path, **values: object) -> Device:
    (device,) = driver(root, **values).discover()
    assert problems([device], node="node-1") == []
    return device


def parts(root: Path, **values: object) -> dict[str, Deployable]:
    """The parts by what follows the application's name in theirs."""
    return {part.name.removeprefix(f"node-1_/{SOCKET}").lstrip("_"): part for part in look(root, **values).deployables}


def facts(part: Deployable) -> dict[str, str]:
    return {attribute.key: attribute.value for attribute in part.attributes}


# --- what an application has ---


def test_an_application_is_a_device_known_by_its_socket(application: Application, root: Path) -> None:
    path = {"pci_address": "0000:08:00.0", "trid": {"trtype": "PCIe", "traddr": "0000:08:00.0"}}
    application.add(bdev("Nvme0n1", driver_specific={"nvme": [path]}))
    device = look(root)
    assert (device.identity, device.type, device.model) == (f"spdk:/{SOCKET}", DeviceType.SSD, "SPDK target")
    assert (device.health, device.presence, device.address) == (Health.HEALTHY, Presence.PRESENT, None)
    assert device.std_board_info == {"version": "SPDK v24.09", "functions": "0000:08:00.0"}
    assert [str(function) for function in device.functions] == ["0000:08:00.0"]


def test_block_devices_are_seen_and_not_handed_out_unless_the_operator_says_how(
    application: Application, root: Path
) -> None:
    application.add(bdev("Malloc0", gib=2))
    part = parts(root)["Malloc0"]
    assert (part.kind, part.num_accelerators, part.handles) == (DeployableKind.BDEV, 0, ())
    assert facts(part)["capacity_bytes"] == str(2 * GIB)
    assert facts(part)["rc"] == "CUSTOM_SSD"


def test_a_subsystem_is_handed_out_by_its_name_and_address(application: Application, root: Path) -> None:
    application.add(bdev("Malloc0"), bdev("Malloc1", gib=2), subsystem(CNODE, "Malloc0", "Malloc1"))
    found = parts(root)
    (handle,) = found[CNODE].handles
    assert handle.type is HandleType.NVME_OF
    assert handle.info == {
        "nqn": CNODE,
        "transport": "TCP",
        "family": "IPv4",
        "address": "192.0.2.10",
        "service": "4420",
    }
    assert facts(found[CNODE])["capacity_bytes"] == str(3 * GIB)
    assert {name: part.parent for name, part in found.items() if part.kind is DeployableKind.NAMESPACE} == {
        f"{CNODE}_ns1": found[CNODE].name,
        f"{CNODE}_ns2": found[CNODE].name,
    }
    assert facts(found["Malloc0"])["shown_as"] == CNODE


@pytest.mark.parametrize(
    ("more", "fact"),
    [
        ({"allow_any_host": True}, ("allows_any_host", "true")),
        ({"hosts": [{"nqn": "nqn.2016-06.io.spdk:host1"}]}, ("other_hosts", "nqn.2016-06.io.spdk:host1")),
        ({"listen_addresses": []}, None),
        ({"namespaces": []}, None),
    ],
)
def test_a_subsystem_that_others_may_connect_to_or_nobody_can_is_not_handed_out(
    application: Application, root: Path, more: dict[str, object], fact: tuple[str, str] | None
) -> None:
    application.add(bdev("Malloc0"), subsystem(CNODE, "Malloc0") | more)
    part = parts(root)[CNODE]
    assert part.num_accelerators == 0
    assert fact is None or fact in facts(part).items()


def test_a_subsystem_that_a_handle_of_ours_is_prepared_on_stays_as_it_was(application: Application, root: Path) -> None:
    application.add(bdev("Malloc0"), subsystem(CNODE, "Malloc0"))
    before = look(root)
    application.subsystems[CNODE]["hosts"] = [{"nqn": "nqn.2026-11.internal.accel:host:8c1f"}]
    assert look(root) == before


def test_a_vhost_controller_is_handed_out_by_its_socket(application: Application, root: Path) -> None:
    scsi = [{"target_name": "Target 0", "id": 0, "scsi_dev_num": 0, "luns": [{"id": 0, "bdev_name": "Malloc1"}]}]
    application.add(bdev("Malloc0"), bdev("Malloc1"), vhost_blk("vhost.0", "Malloc0"))
    application.add({"ctrlr": "scsi.0", "backend_specific": {"scsi": scsi}})
    application.add({"ctrlr": "empty", "backend_specific": {"scsi": []}})
    found = parts(root, vhost_directory="/srv/vhost")
    assert [handle.info for name in ("vhost.0", "scsi.0", "empty") for handle in found[name].handles] == [
        {"path": "/run/vhost/vhost.0", "device": "blk"},
        {"path": "/srv/vhost/scsi.0", "device": "scsi"},
    ]
    assert facts(found["Malloc1"])["shown_as"] == "scsi.0"


# --- block devices that are handed out ---


def test_a_free_block_device_is_handed_out_as_the_subsystem_that_will_be_made(
    application: Application, root: Path
) -> None:
    application.add(bdev("Malloc0"))
    (handle,) = parts(root, export="nvmf", listen="RDMA:[2001:db8::1]:4420")["Malloc0"].handles
    assert handle.info == {
        "nqn": "nqn.2026-11.internal.accel:node-1:Malloc0",
        "transport": "RDMA",
        "family": "IPv6",
        "address": "2001:db8::1",
        "service": "4420",
    }


def test_a_free_block_device_is_handed_out_as_the_vhost_disk_that_will_be_made(
    application: Application, root: Path
) -> None:
    application.add(bdev("lvs/vol 1"))
    (handle,) = parts(root, export="vhost", vhost_directory="/run/vhost")["lvs/vol 1"].handles
    assert (handle.type, handle.info["path"]) == (HandleType.VHOST_USER, "/run/vhost/accel.lvs_vol 1")


def test_what_is_claimed_shown_or_not_chosen_is_not_handed_out(application: Application, root: Path) -> None:
    application.add(bdev("Malloc0"), bdev("Malloc1", claimed=True), bdev("Malloc2"), bdev("Nvme0n1"))
    application.add(subsystem(CNODE, "Malloc0"), vhost_blk("vhost.0", "Malloc2"))
    found = parts(root, **NVMF, bdevs=["Malloc*"])
    assert [name for name, part in found.items() if part.kind is DeployableKind.BDEV and part.handles] == []
    assert facts(found["Malloc1"])["claimed"] == "true"
    assert [name for name, part in parts(root, **NVMF).items() if part.handles] == ["Nvme0n1", CNODE, "vhost.0"]


def test_a_name_that_is_too_long_is_cut_and_told_apart(application: Application, root: Path) -> None:
    application.add(*(bdev("b" * 250 + str(number)) for number in range(2)))
    names = {part.name for part in look(root).deployables}
    assert len(names) == 3
    assert max(map(len, names)) == 255


# --- how it is talked to ---


def test_answers_that_come_in_pieces_are_put_together(application: Application, root: Path) -> None:
    application.add(*(bdev(f"Malloc{number}", product_name="größe }") for number in range(20)))
    whole = look(root)
    application.piece = 1
    assert look(root) == whole


def test_an_application_that_is_built_without_nvmf_or_vhost_has_none(application: Application, root: Path) -> None:
    application.add(bdev("Malloc0"))
    application.unknown = {"nvmf_get_subsystems", "vhost_get_controllers"}
    assert list(parts(root)) == ["", "Malloc0"]


def test_an_application_that_knows_no_block_devices_is_too_old(application: Application, root: Path) -> None:
    application.unknown = {"bdev_get_bdevs"}
    with pytest.raises(DriverUnavailable, match=r"too old.*Method not found \(-32601\)"):
        look(root)


def test_an_application_that_waits_to_be_started_is_not_there_yet(application: Application, root: Path) -> None:
    application.is_initialised = False
    with pytest.raises(DriverUnavailable, match="has not started its subsystems yet") as caught:
        look(root)
    assert caught.value.hint == "call framework_start_init"


def test_an_application_that_keeps_silent_is_not_waited_for(application: Application, root: Path) -> None:
    application.may_answer.clear()
    with pytest.raises(DriverUnavailable, match=r"has not answered spdk_get_version within 0\.1 s"):
        look(root, timeout_seconds=0.1)


def test_an_application_that_goes_away_while_it_is_asked_is_away(application: Application, root: Path) -> None:
    application.answers["bdev_get_bdevs"] = b""
    with pytest.raises(DriverUnavailable, match="went away during bdev_get_bdevs"):
        look(root)


def test_no_application_is_unavailable_with_what_to_do(root: Path) -> None:
    with pytest.raises(DriverUnavailable, match=r"spdk\.sock: No such file or directory") as caught:
        look(root)
    assert "[spdk] sockets" in caught.value.hint


@pytest.mark.parametrize(
    ("method", "answer", "said"),
    [
        ("bdev_get_bdevs", {"id": 2, "result": {}}, "where a list is to be"),
        ("bdev_get_bdevs", {"id": 2, "result": [{"product_name": "x"}]}, "names no name"),
        ("bdev_get_bdevs", {"id": 7, "result": []}, "does not speak JSON-RPC 2.0"),
        ("bdev_get_bdevs", {"id": 2}, "does not speak JSON-RPC 2.0"),
        ("bdev_get_bdevs", {"id": 2, "error": {"code": -32603, "message": "Out of memory"}}, "Out of memory"),
        ("spdk_get_version", {"id": 1, "result": "24.09"}, "where an object is to be"),
        ("nvmf_get_subsystems", {"id": 3, "result": [{"nqn": "n", "namespaces": [{}]}]}, "no nsid"),
    ],
)
def test_an_answer_that_makes_no_sense_is_a_failure(
    application: Application, root: Path, method: str, answer: dict[str, object], said: str
) -> None:
    application.answers[method] = json.dumps(answer).encode()
    with pytest.raises(DriverFailure, match=said):
        look(root)


def test_a_refusal_names_the_method_and_the_number(application: Application, root: Path) -> None:
    with SpdkClient(root / SOCKET, timeout_seconds=5) as client, pytest.raises(Refused) as caught:
        client.call("nvmf_delete_subsystem", nqn="nqn.none")
    assert str(caught.value) == "nvmf_delete_subsystem: Invalid parameters (-32602)"
    assert application.calls == ["nvmf_delete_subsystem"]


def test_of_several_applications_one_that_is_away_is_lost(application: Application, root: Path) -> None:
    application.add(bdev("Malloc0"))
    away, here = driver(root, sockets=[f"/{SOCKET}", "/run/vhost.sock"]).discover()
    assert (here.presence, away.identity, away.presence) == (
        Presence.PRESENT,
        "spdk:/run/vhost.sock",
        Presence.LOST,
    )
    assert "vhost.sock: No such file or directory" in away.reason


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"sockets": ["spdk.sock"]}, "'spdk.sock' is no absolute path"),
        ({"vhost_directory": "vhost"}, "'vhost' is no absolute path"),
        ({"export": "nvmf"}, "listen does not say where"),
        ({"listen": "192.0.2.1"}, r"listen is '192\.0\.2\.1'"),
        ({"listen": "TCP:host:4420"}, "listen is 'TCP:host:4420'"),
    ],
)
def test_options_that_are_not_right_are_told(root: Path, values: dict[str, object], said: str) -> None:
    with pytest.raises(DriverFailure, match=said):
        look(root, **values)


def test_a_drive_that_an_application_drives_is_not_handed_out_as_a_drive_too(
    application: Application, root: Path
) -> None:
    tree = HostTree(root)
    for address in ("0000:08:00.0", "0000:09:00.0"):
        tree.pci_function(
            PciRow(address=address, vendor="144d", product="a80a", class_code=0x010802, driver="vfio-pci")
        )
    application.add(bdev("Nvme0n1", driver_specific={"nvme": {"pci_address": "0000:08:00.0"}}))
    by_spdk = DriverReport(driver="spdk", devices=driver(root).discover())
    by_nvme = DriverReport(driver="nvme", devices=NvmeDriver(tree.host(), options(NvmeDriver)).discover())
    assert [str(device.address) for device in by_nvme.devices] == ["0000:08:00.0", "0000:09:00.0"]
    _, left = merge([by_spdk, by_nvme], {}).reports
    assert [str(device.address) for device in left.devices] == ["0000:09:00.0"]
