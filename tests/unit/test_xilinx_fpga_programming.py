"""Programming Alveo cards: what was built for the shell is loaded, a shell for such a card is flashed, no other is."""

from pathlib import Path
from uuid import UUID

import pytest
from support.host_trees import HOSTS
from support.images import gbs, xclbin
from support.parts import facts, trait_names
from support.vendor_tools import behave, calls, install

from accel.drivers.acts import Programmable
from accel.drivers.base import Host
from accel.drivers.xilinx_fpga import XilinxFpgaDriver
from accel.errors import (
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
from accel.model.device import Deployable, DeployableKind, Device, Health
from accel.testing import HostTree, PciRow, options, unpack

U200, U250, GOLDEN = "0000:04:00.0", "0000:81:00.0", "0000:c1:00.0"
INTERFACE = "937ed70867cf3350bc063304053f4293"
NEW = "1" * 32
U200_PLATFORM, U200_TIME = "xilinx:u200:xdma:201830_2", 1_561_465_320
SHELL = xclbin("f" * 32, is_shell=True)


class Bench:
    """The captured host with three cards, with the runtime's programs installed."""

    def __init__(self, directory: Path, **more: object) -> None:
        (archive,) = (HOSTS / "fpga-xilinx-alveo").glob("*.tar.gz")
        self.root = unpack(archive, directory)
        tools = install(self.root, "xrt-smi", "xbutil", "xbmgmt")
        self.options = {"xrt_smi": tools["xrt_smi"], "xbmgmt": tools["xbmgmt"], **more}
        self.said: list[str] = []
        self.must_go_on: dict[str, str] = {}

    @property
    def driver(self) -> XilinxFpgaDriver:
        return XilinxFpgaDriver(Host(name="node-1", root=self.root), options(XilinxFpgaDriver, **self.options))

    def look(self, address: str) -> Device:
        return next(one for one in self.driver.discover() if str(one.address) == address)

    def program(self, address: str, content: bytes, kind: DeployableKind = DeployableKind.CARD) -> None:
        device = self.look(address)
        image = self.root / "image.xsabin"
        image.write_bytes(content)
        self.driver.program(device, part(device, kind), image, self._note)

    def blank(self, address: str) -> None:
        device = self.look(address)
        self.driver.blank(device, part(device, DeployableKind.REGION), self._note)

    def loaded(self, address: str) -> str:
        return self.look(address).std_board_info.get("xclbin_uuid", "")

    def runs(self, name: str) -> list[list[str]]:
        return calls(self.root, name)

    def _note(self, message: str, fraction: float | None = None, *, must_go_on: str = "") -> None:
        assert fraction in {None, 1.0}
        self.said.append(message)
        if must_go_on:
            self.must_go_on[message] = must_go_on


def part(device: Device, kind: DeployableKind) -> Deployable:
    return next(one for one in device.deployables if one.kind is kind)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_it_is_a_driver_that_programs() -> None:
    assert issubclass(XilinxFpgaDriver, Programmable)


@pytest.mark.parametrize("kind", [DeployableKind.CARD, DeployableKind.REGION])
def test_what_is_loaded_is_what_the_next_look_tells(bench: Bench, kind: DeployableKind) -> None:
    before = bench.loaded(U250)

    bench.program(U250, xclbin(NEW, interfaces=[INTERFACE]), kind)

    card, region = bench.look(U250).deployables
    assert facts(region)["image_id"] == NEW
    assert f"CUSTOM_FPGA_FUNCTION_ID_XILINX_{NEW}" in trait_names(card) & trait_names(region)
    assert f"CUSTOM_FPGA_FUNCTION_ID_XILINX_{before.upper()}" not in trait_names(card) | trait_names(region)


def test_the_user_function_is_programmed_whatever_its_number(bench: Bench) -> None:
    bench.program(U250, xclbin(NEW, interfaces=[INTERFACE]))

    image = str(bench.root / "image.xsabin")
    assert bench.runs("xrt-smi") == [["program", "--device", "0000:81:00.1", "--user", image]]
    assert bench.said == ["checking the image", "loading the image", "verifying what is loaded"]


def test_a_card_of_the_first_generation_takes_what_was_built_for_its_shell_and_its_moment(bench: Bench) -> None:
    bench.program(U200, xclbin(NEW, platform=U200_PLATFORM, platform_time=U200_TIME))

    assert bench.loaded(U200) == NEW


def test_an_older_runtime_has_xbutil_in_its_place(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.options["xrt_smi"] = str(bench.root / "usr/bin/xbutil")

    bench.program(U250, xclbin(NEW, interfaces=[INTERFACE]))

    assert (bench.loaded(U250), len(bench.runs("xbutil"))) == (NEW, 1)


@pytest.mark.parametrize(
    ("address", "content", "error", "said"),
    [
        (
            U250,
            xclbin(NEW, interfaces=["a" * 32]),
            ImageMismatch,
            f"interface id {'a' * 32}, and the card has {INTERFACE}",
        ),
        (U250, xclbin(NEW), ImageMismatch, r"interface id none \(xilinx:u250"),
        (
            U200,
            xclbin(NEW),
            ImageMismatch,
            "built for xilinx:u250:gen3x16_xdma_shell:4.1, and the card runs xilinx_u200",
        ),
        (
            U200,
            xclbin(NEW, platform=U200_PLATFORM, platform_time=7),
            ImageMismatch,
            "of 7, and the card runs .* of 1561",
        ),
        (U250, gbs(INTERFACE, NEW), ImageMismatch, "a green bitstream"),
        (U250, b"firmware", ImageMismatch, "of a format that is not known, and the card loads only an xclbin"),
        (U250, xclbin(NEW, interfaces=[INTERFACE])[:-1], InvalidImage, "cut short"),
        (U250, xclbin("0" * 32, interfaces=[INTERFACE]), InvalidImage, "all zeros"),
        (GOLDEN, xclbin(NEW, interfaces=[INTERFACE]), ActRefused, "image of the factory: flash a shell into it first"),
    ],
)
def test_an_image_that_does_not_fit_is_refused_before_anything_is_touched(
    bench: Bench, address: str, content: bytes, error: type[Exception], said: str
) -> None:
    before = bench.loaded(address)

    with pytest.raises(error, match=said):
        bench.program(address, content)

    assert (bench.loaded(address), bench.runs("xrt-smi"), bench.runs("xbmgmt")) == (before, [], [])


def test_a_card_without_its_kernel_drivers_is_not_programmed(bench: Bench) -> None:
    tree = HostTree(bench.root)
    for number, product in (("0", "5004"), ("1", "5005")):
        tree.pci_function(PciRow(address=f"0000:e1:00.{number}", vendor="10ee", product=product))

    with pytest.raises(DeviceGone, match="user function of the card is not to be seen"):
        bench.program("0000:e1:00.0", xclbin(NEW, interfaces=[INTERFACE]))


def test_a_card_that_tells_nothing_of_its_shell_is_not_programmed(bench: Bench) -> None:
    row = PciRow(address="0000:e1:00.1", vendor="10ee", product="5005")
    (HostTree(bench.root).pci_function(row) / "user_pf").touch()

    with pytest.raises(ActRefused, match="what shell the card runs is not to be seen"):
        bench.program("0000:e1:00.1", xclbin(NEW))


def test_a_program_that_is_not_installed_is_named(bench: Bench) -> None:
    (bench.root / "usr/bin/xrt-smi").unlink()

    with pytest.raises(ToolMissing, match="xrt-smi is not there, or no program"):
        bench.program(U250, xclbin(NEW, interfaces=[INTERFACE]))


def test_what_the_program_complains_of_is_told(bench: Bench) -> None:
    behave(bench.root, "xrt-smi", status=1, stderr="ERROR: Could not program device: Invalid argument")

    with pytest.raises(ToolFailed, match="status 1: ERROR: Could not program device: Invalid argument"):
        bench.program(U250, xclbin(NEW, interfaces=[INTERFACE]))


def test_a_program_that_hangs_is_ended(tmp_path: Path) -> None:
    bench = Bench(tmp_path, program_timeout=1)
    behave(bench.root, "xrt-smi", hangs="after")

    with pytest.raises(ActTimedOut, match="did not end within 1 s"):
        bench.program(U250, xclbin(NEW, interfaces=[INTERFACE]))


def test_a_card_that_has_something_else_loaded_afterwards_is_a_failure_whatever_the_program_says(bench: Bench) -> None:
    behave(bench.root, "xrt-smi", loads=str(UUID(int=0)))

    with pytest.raises(NotVerified, match=f"has nothing loaded where {NEW} was to be"):
        bench.program(U250, xclbin(NEW, interfaces=[INTERFACE]))


def test_a_card_that_a_process_works_with_is_left_alone(bench: Bench) -> None:
    process = bench.root / "proc/4711"
    (process / "fd").mkdir(parents=True)
    (process / "fd/7").symlink_to("/dev/dri/renderD129")

    with pytest.raises(DeviceInUse, match=r"process 4711 \(unknown\) has .*renderD129"):
        bench.program(U250, xclbin(NEW, interfaces=[INTERFACE]))


def test_blanking_resets_the_user_s_region(bench: Bench) -> None:
    assert bench.loaded(U250) != ""

    bench.blank(U250)

    assert bench.loaded(U250) == ""
    assert bench.runs("xrt-smi") == [["reset", "--device", "0000:81:00.1", "--force"]]


def test_a_reset_that_leaves_the_image_is_a_failure(bench: Bench) -> None:
    behave(bench.root, "xrt-smi", loads=str(UUID(NEW)))

    with pytest.raises(NotVerified, match=f"has been reset, and {NEW} is still loaded"):
        bench.blank(U250)


@pytest.mark.parametrize("address", [GOLDEN, U250])
def test_a_shell_is_flashed_into_a_card_of_its_kind_and_runs_after_the_host_was_off(bench: Bench, address: str) -> None:
    before = bench.look(address)

    bench.program(address, SHELL)

    image = str(bench.root / "image.xsabin")
    assert bench.runs("xbmgmt") == [["program", "--device", address, "--base", "--image", image, "--force"]]
    assert (bench.root / "var/lib/flash" / address).read_bytes() == SHELL
    half = "a card whose flash memory is half written may not start again"
    assert bench.must_go_on == {"flashing the shell: this takes minutes": half}
    assert bench.said[-1] == "flashed: the card runs the shell once the host has been switched off and on again"
    assert bench.look(address) == before


def test_a_card_with_the_image_of_the_factory_needs_flashing(bench: Bench) -> None:
    golden = bench.look(GOLDEN)

    assert (golden.health, "flash a shell into it" in golden.reason) == (Health.UNHEALTHY, True)


@pytest.mark.parametrize(
    ("address", "content", "error", "said"),
    [
        (U200, SHELL, ImageMismatch, "for cards of the kind u250, and the card is a u200"),
        (GOLDEN, xclbin("f" * 32, is_shell=True, platform="xilinx:u280:x:1"), ImageMismatch, "kind u280, .* is a u250"),
        (U250, xclbin("f" * 32, is_shell=True, platform=""), ActRefused, "is not known: it names no platform"),
    ],
)
def test_a_shell_for_another_kind_of_card_is_never_flashed(
    bench: Bench, address: str, content: bytes, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        bench.program(address, content)

    assert bench.runs("xbmgmt") == []


def test_a_shell_is_not_loaded_into_a_region(bench: Bench) -> None:
    with pytest.raises(ImageMismatch, match=r"a shell for a whole card, and .*_region0 is a part of one"):
        bench.program(U250, SHELL, DeployableKind.REGION)


def test_a_card_whose_management_function_is_elsewhere_cannot_be_flashed(bench: Bench) -> None:
    HostTree(bench.root).remove(U250)

    with pytest.raises(DeviceGone, match="the function that manages the card is not to be seen"):
        bench.program("0000:81:00.1", SHELL)


def test_a_failure_of_flashing_is_told(bench: Bench) -> None:
    behave(bench.root, "xbmgmt", status=1, stderr="ERROR: Failed to update base")

    with pytest.raises(ToolFailed, match="Failed to update base"):
        bench.program(U250, SHELL)
