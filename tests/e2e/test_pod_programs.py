"""A pod that wants a function in an FPGA: from the image that is registered to the region that has it when it starts.

Control plane, agent and device plugin are real, on captured hosts with Intel's and AMD's programs stood in for; the
kubelet is ours.
"""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from support.cli import run
from support.host_trees import HOSTS
from support.images import gbs, xclbin
from support.processes import BIN, accel_up
from support.vendor_tools import behave, behave_well, calls, install
from support.waiting import until

from accel.testing import unpack
from accel.testing.kubelet import ContainerRefused, Kubelet, Pod

pytestmark = pytest.mark.timeout(300)

INTERFACE = "f64e598bea11517fa28e7bc65d885104"
BLUR, IDLE = "1" * 32, "2" * 32
FUNCTION = "accel.io/fpga-blur"
POD = Pod("vision", "camera", {"main": {FUNCTION: 1}})


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A board on a captured host, and what is loaded into it."""

    host: str
    driver: str
    address: str
    programs: tuple[str, ...]
    loads: str
    """The program that loads images."""
    image: str
    """The name of the file with the image; what comes after the dot says what it is."""
    content: bytes
    shows: str
    """The attribute of the region that says what is loaded."""
    blank: str
    """What it says of a region that was blanked."""


INTEL = Board(
    host="fpga-a10-dfl",
    driver="intel_fpga",
    address="",
    programs=("fpgaconf",),
    loads="fpgaconf",
    image="blur.gbs",
    content=gbs(INTERFACE, BLUR),
    shows="afu_id",
    blank=IDLE,
)
AMD = Board(
    host="fpga-xilinx-alveo",
    driver="xilinx_fpga",
    address="0000:81:00.0",
    programs=("xrt-smi", "xbmgmt"),
    loads="xrt-smi",
    image="blur.xclbin",
    content=xclbin(BLUR, interfaces=["937ed70867cf3350bc063304053f4293"]),
    shows="image_id",
    blank="none",
)


@dataclass
class Site:
    """Everything on one machine."""

    board: Board
    url: str
    tree: Path
    at: Path
    kubelet: Kubelet

    def accel(self, *words: object) -> object:
        """What a command says, as JSON where it has any."""
        outcome = run(*map(str, words), endpoint=self.url, wait=lambda _seconds: None)
        assert outcome.code == 0, outcome.err
        return outcome.json if "json" in words else None

    def register(self) -> dict[str, object]:
        """The image is signed and registered; what a rule of the plugin says of it."""
        file = self.at / self.board.image
        file.write_bytes(self.board.content)
        key = self.at / "release.pem"
        self.accel("image", "key", "add", "release", key, "--generate")
        self.accel("image", "add", file, "--sign", key)
        shown = self.accel("image", "show", "-f", "json", "blur")
        assert isinstance(shown, dict)
        said = {name: shown[name] for name in ("digest", "name", "signature", "public_key")}
        return said | {"size": shown["size_bytes"]}

    @property
    def loaded(self) -> str:
        """The function that the region has, as it is recorded."""
        regions = self.accel("deployable", "list", "--kind", "region", "-f", "json")
        assert isinstance(regions, list)
        (region,) = [one for one in regions if self.board.address in one["name"]]
        return str(region["attributes"].get(self.board.shows, ""))


@pytest.fixture(params=[INTEL, AMD], ids=["intel", "amd"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    board: Board = request.param
    (archive,) = (HOSTS / board.host).glob("*.tar.gz")
    tree = unpack(archive, tmp_path / "node3")
    tools = install(tree, *board.programs)
    if board is INTEL:
        idle = tmp_path / "idle.gbs"
        idle.write_bytes(gbs(INTERFACE, IDLE))
        tools["blank_images"] = str(idle)
    with TemporaryDirectory() as short, Kubelet(Path(short) / "kubelet") as kubelet:
        options = "".join(f"{name} = {value}\n" for name, value in tools.items())
        config = tmp_path / "accel.conf"
        config.write_text(f"[{board.driver}]\n{options}[node_socket]\npath = {short}/node.sock\n")
        arguments = ["--no-host", "--host-tree", tree, "--driver", board.driver, "--config-file", config]
        with accel_up(tmp_path / "state", *arguments) as up:
            yield Site(board, up.endpoint, tree, Path(short), kubelet)


@pytest.fixture
def offered(site: Site) -> Iterator[Site]:
    """The function is a resource of the node."""
    rule = {
        "name": FUNCTION,
        "where": f"type = FPGA, address ~ {site.board.address}" if site.board.address else "type = FPGA",
        "before_start": {"program": site.register()},
        "after_end": {"scrub": "blank"},
    }
    said = {
        "node_socket": f"{site.at}/node.sock",
        "kubelet_directory": str(site.kubelet.device_plugins),
        "pod_resources_socket": str(site.kubelet.pod_resources / "kubelet.sock"),
        "cdi_directory": f"{site.at}/cdi",
        "release_grace_seconds": 0.1,
        "resources": [rule],
    }
    (site.at / "plugin.yaml").write_text(json.dumps(said))  # which is YAML too
    with subprocess.Popen([BIN / "accel-device-plugin", "--config", site.at / "plugin.yaml"]) as plugin:
        try:
            site.kubelet.wait_for(FUNCTION, allocatable=1)
            yield site
        finally:
            plugin.terminate()


def test_a_pod_starts_with_its_function_in_the_region_and_leaves_none(offered: Site) -> None:
    offered.kubelet.admit(POD)
    assert calls(offered.tree, offered.board.loads) == []

    offered.kubelet.start_container(POD, "main")
    assert offered.loaded == BLUR
    offered.kubelet.start_container(POD, "main")  # as after a crash
    assert offered.loaded == BLUR

    offered.kubelet.delete(POD)
    until(lambda: offered.loaded == offered.board.blank)
    offered.kubelet.wait_for(FUNCTION, allocatable=1)


def test_a_container_whose_function_cannot_be_loaded_says_why_and_starts_when_it_can(offered: Site) -> None:
    offered.kubelet.admit(POD)
    behave(offered.tree, offered.board.loads, status=5, stderr="Error writing bitstream to FPGA: exception")

    with pytest.raises(ContainerRefused, match=r"Error writing bitstream to FPGA: exception.*accel\.tool_failed"):
        offered.kubelet.start_container(POD, "main")

    behave_well(offered.tree, offered.board.loads)
    offered.kubelet.start_container(POD, "main")
    assert offered.loaded == BLUR
