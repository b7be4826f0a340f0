"""Programming Intel's FPGAs: an image that fits is loaded and verified, and nothing else is touched."""

from pathlib import Path

import pytest
from support.host_trees import HOSTS
from support.images import BITSTREAM, gbs, xclbin
from support.parts import facts, trait_names
from support.vendor_tools import behave, calls, install

from accel.drivers.acts import Programmable
from accel.drivers.base import Host
from accel.drivers.intel_fpga import IntelFpgaDriver
from accel.errors import (
    ActFailed,
    ActNotSupported,
    ActRefused,
    ActTimedOut,
    DeviceGone,
    DeviceInUse,
    ImageMismatch,
    InvalidImage,
    NotVerified,
    ToolFailed,
    ToolMissing,
)
from accel.model.address import PciAddress
from accel.model.device import Deployable, DeployableKind, Device, pci_handle
from accel.testing import HostTree, PciRow, options, unpack

NEW, IDLE = "1" * 32, "2" * 32
INTERFACE = "f64e598bea11517fa28e7bc65d885104"


class Bench:
    """A captured host with the programs installed, and what a person would do there."""

    def __init__(self, root: Path, **more: object) -> None:
        self.root = root
        self.tools = install(root, "fpgaconf", "fpgasupdate")
        self.said: list[str] = []
        self.more = more

    @property
    def driver(self) -> IntelFpgaDriver:
        return IntelFpgaDriver(Host(name="node-1", root=self.root), options(IntelFpgaDriver, **self.tools, **self.more))

    def look(self) -> tuple[Device, Deployable]:
        device = next(one for one in self.driver.discover() if len(one.deployables) > 1)
        return device, next(part for part in device.deployables if part.kind is DeployableKind.REGION)

    def image(self, content: bytes) -> Path:
        file = self.root / "image"
        file.write_bytes(content)
        return file

    def program(self, content: bytes, *, card: bool = False) -> None:
        device, region = self.look()
        part = device.deployables[0] if card else region
        self.driver.program(device, part, self.image(content), self._note)

    def blank(self) -> None:
        device, region = self.look()
        self.driver.blank(device, region, self._note)

    @property
    def loaded(self) -> str:
        return facts(self.look()[1]).get("afu_id", "")

    @property
    def interface(self) -> str:
        return facts(self.look()[1])["interface_id"]

    def _note(self, message: str, fraction: float | None = None) -> None:
        assert fraction is None
        self.said.append(message)


def unpacked(name: str, directory: Path) -> Path:
    (archive,) = (HOSTS / name).glob("*.tar.gz")
    return unpack(archive, directory)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(unpacked("fpga-a10-dfl", tmp_path))


def test_it_is_a_driver_that_programs() -> None:
    assert issubclass(IntelFpgaDriver, Programmable)


@pytest.mark.parametrize("host", ["fpga-a10-dfl", "fpga-a10-oldriver", "fpga-d5005-dfl", "fpga-n6000-sku0"])
@pytest.mark.parametrize("programmer", ["fpgaconf", "fpgasupdate"])
def test_on_each_captured_host_what_is_loaded_is_what_the_next_look_tells(
    tmp_path: Path, host: str, programmer: str
) -> None:
    bench = Bench(unpacked(host, tmp_path), programmer=programmer)
    before = trait_names(bench.look()[0].deployables[0])

    bench.program(gbs(bench.interface, NEW))

    device, region = bench.look()
    after = trait_names(device.deployables[0])
    assert facts(region)["afu_id"] == NEW
    assert f"CUSTOM_FPGA_FUNCTION_ID_INTEL_{NEW}" in after & trait_names(region)
    assert len({name for name in before if "FUNCTION_ID" in name} & after) == 0


def test_the_program_is_given_a_list_of_arguments_with_the_whole_address(bench: Bench) -> None:
    bench.program(gbs(INTERFACE, NEW))

    (arguments,) = calls(bench.root, "fpgaconf")
    address = bench.look()[0].address
    assert address is not None
    assert arguments == [
        *("--segment", f"{address.domain:#x}", "--bus", f"{address.bus:#x}"),
        *("--device", f"{address.device:#x}", "--function", f"{address.function:#x}", str(bench.root / "image")),
    ]


def test_whoever_waits_is_told_what_it_is_at(bench: Bench) -> None:
    bench.program(gbs(INTERFACE, NEW))

    assert bench.said == ["checking the image", "loading the image with fpgaconf", "verifying what is loaded"]


def test_programming_the_card_is_programming_its_only_region_and_may_be_repeated(bench: Bench) -> None:
    for _ in range(2):
        bench.program(gbs(INTERFACE, NEW), card=True)

    assert bench.loaded == NEW


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        (gbs("a" * 32, NEW), ImageMismatch, f"interface id {'a' * 32}, and region 0 has {INTERFACE}"),
        (xclbin(NEW), ImageMismatch, "the image is an xclbin, and the card loads only a green bitstream"),
        (b"firmware", ImageMismatch, "of a format that is not known"),
        (gbs(INTERFACE, NEW)[:60], InvalidImage, "cut short"),
        (gbs(INTERFACE, NEW)[: -len(BITSTREAM)], InvalidImage, "there is no bitstream in it"),
        (gbs(INTERFACE, NEW, signed=True), ActRefused, "set programmer = fpgasupdate"),
    ],
)
def test_an_image_that_does_not_fit_is_refused_before_anything_is_touched(
    bench: Bench, content: bytes, error: type[Exception], said: str
) -> None:
    before = bench.loaded

    with pytest.raises(error, match=said):
        bench.program(content)

    assert (bench.loaded, calls(bench.root, "fpgaconf")) == (before, [])


def test_an_image_that_is_not_there_is_refused(bench: Bench) -> None:
    device, region = bench.look()

    with pytest.raises(ActRefused, match=r"nowhere\.gbs cannot be read: No such file"):
        bench.driver.program(device, region, bench.root / "nowhere.gbs", bench._note)


def test_a_signed_image_goes_through_fpgasupdate(tmp_path: Path) -> None:
    bench = Bench(unpacked("fpga-d5005-dfl", tmp_path), programmer="fpgasupdate")

    bench.program(gbs(bench.interface, NEW, signed=True))

    assert bench.loaded == NEW
    assert calls(bench.root, "fpgasupdate") == [["--yes", str(bench.root / "image"), str(bench.look()[0].address)]]


def test_a_program_that_is_not_installed_is_named(bench: Bench) -> None:
    (bench.root / "usr/bin/fpgaconf").unlink()

    with pytest.raises(ToolMissing, match=r"usr/bin/fpgaconf is not there, or no program"):
        bench.program(gbs(INTERFACE, NEW))


def test_what_the_program_complains_of_is_told_and_nobody_knows_what_the_region_is_like(bench: Bench) -> None:
    behave(bench.root, "fpgaconf", status=5, stderr="Error writing bitstream to FPGA: exception")

    with pytest.raises(ToolFailed, match="status 5: Error writing bitstream to FPGA: exception") as caught:
        bench.program(gbs(INTERFACE, NEW))

    assert not isinstance(caught.value, ActRefused)
    assert bench.loaded == ""


def test_a_program_that_did_not_begin_to_write_has_changed_nothing(bench: Bench) -> None:
    behave(bench.root, "fpgaconf", status=4, stderr="No suitable slots found.")

    with pytest.raises(ActRefused, match="No suitable slots found"):
        bench.program(gbs(INTERFACE, NEW))


def test_what_fpgasupdate_logs_is_told_when_it_fails(tmp_path: Path) -> None:
    bench = Bench(unpacked("fpga-d5005-dfl", tmp_path), programmer="fpgasupdate")
    behave(bench.root, "fpgasupdate", fpgad=True)

    with pytest.raises(ToolFailed, match="Please end that task"):
        bench.program(gbs(bench.interface, NEW))


@pytest.mark.parametrize("programmer", ["fpgaconf", "fpgasupdate"])
def test_a_program_that_hangs_is_ended_and_nobody_knows_what_the_region_is_like(
    tmp_path: Path, programmer: str
) -> None:
    bench = Bench(unpacked("fpga-a10-dfl", tmp_path), programmer=programmer, program_timeout=1.5)
    behave(bench.root, "fpgaconf", hangs="after")

    with pytest.raises(ActTimedOut, match=f"{programmer} did not end within 1.5 s") as caught:
        bench.program(gbs(INTERFACE, NEW))

    assert not isinstance(caught.value, ActRefused)


def test_a_region_that_has_something_else_afterwards_is_a_failure_whatever_the_program_says(bench: Bench) -> None:
    behave(bench.root, "fpgaconf", loads="3" * 32)

    with pytest.raises(NotVerified, match=f"has {'3' * 32} in it where {NEW} was to be loaded") as caught:
        bench.program(gbs(INTERFACE, NEW))

    assert isinstance(caught.value, ActFailed)


def test_a_region_that_tells_nothing_afterwards_is_a_failure(bench: Bench) -> None:
    behave(bench.root, "fpgaconf", loads="")

    with pytest.raises(NotVerified, match="nothing that can be read"):
        bench.program(gbs(INTERFACE, NEW))


def test_a_region_that_a_process_works_with_is_left_alone(bench: Bench) -> None:
    process = bench.root / "proc/4711"
    (process / "fd").mkdir(parents=True)
    (process / "comm").write_text("worker\n")
    (process / "fd/7").symlink_to("/dev/dfl-port.0")
    (process / "fd/8").symlink_to("socket:[12345]")

    with pytest.raises(DeviceInUse, match=r"process 4711 \(worker\) has /dev/dfl-port.0 open"):
        bench.program(gbs(INTERFACE, NEW))

    assert calls(bench.root, "fpgaconf") == []


def test_a_board_that_is_gone_is_told(bench: Bench) -> None:
    device, region = bench.look()
    HostTree(bench.root).remove(str(device.address))
    (bench.root / "sys/class/fpga_region/region0").unlink(missing_ok=True)

    with pytest.raises(DeviceGone, match="there is no FPGA board at"):
        bench.driver.program(device, region, bench.image(gbs(INTERFACE, NEW)), bench._note)


def test_a_board_without_its_kernel_driver_has_no_region_to_program(tmp_path: Path) -> None:
    tree = HostTree(tmp_path)
    tree.pci_function(PciRow(address="0000:05:00.0", vendor="8086", product="09c4"))
    bench = Bench(tmp_path)
    (device,) = bench.driver.discover()

    with pytest.raises(DeviceGone, match="bind the kernel's FPGA driver"):
        bench.driver.program(device, device.deployables[0], bench.image(gbs(INTERFACE, NEW)), bench._note)


def test_blanking_loads_the_image_that_is_configured_for_such_a_region(tmp_path: Path) -> None:
    files = [tmp_path / "other.gbs", tmp_path / "idle.gbs"]
    files[0].write_bytes(gbs("a" * 32, NEW))
    files[1].write_bytes(gbs(INTERFACE, IDLE))
    bench = Bench(unpacked("fpga-a10-dfl", tmp_path / "host"), blank_images=[str(file) for file in files])

    bench.blank()

    assert bench.loaded == IDLE


def test_a_region_is_not_blanked_for_one_of_several_virtual_functions(bench: Bench) -> None:
    device, _ = bench.look()
    handles = tuple(pci_handle(PciAddress(0, 5, 0, number)) for number in (1, 2))
    pool = Deployable(name="pool", kind=DeployableKind.VF_POOL, num_accelerators=2, handles=handles)

    with pytest.raises(ActNotSupported, match="behind all 2 virtual functions of the card"):
        bench.driver.blank(device, pool, bench._note)

    assert calls(bench.root, "fpgaconf") == []


def test_without_an_image_for_it_a_region_is_not_blanked(bench: Bench) -> None:
    with pytest.raises(ActNotSupported, match=f"interface id {INTERFACE}: name one in the option blank_images"):
        bench.blank()
