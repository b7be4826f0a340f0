"""Loading green bitstreams into regions of Intel's boards, with Intel's own programs.

The program checks what it is given less strictly than we do, and says little about what came of it. So an image is
compared with the region before anything is touched, and what the port to the region shows afterwards decides.
"""

from collections.abc import Sequence
from pathlib import Path

from oslo_config import cfg

from accel.drivers.acts import Progress
from accel.drivers.base import Host
from accel.drivers.image_file import header_of
from accel.drivers.intel_fpga.boards import Board, Region, boards
from accel.drivers.open_nodes import check_unused
from accel.drivers.pci_card import card_name
from accel.errors import ActNotSupported, ActRefused, DeviceGone, ImageMismatch, NotVerified, ToolFailed
from accel.model.address import PciAddress
from accel.model.device import Deployable, DeployableKind, Device
from accel.model.image import ImageFormat, ImageHeader

FPGACONF, FPGASUPDATE = "fpgaconf", "fpgasupdate"

OPTIONS: Sequence[cfg.Opt] = (
    cfg.StrOpt(
        "programmer",
        default=FPGACONF,
        choices=[
            (FPGACONF, "loads green bitstreams without a signature in front, as the packager makes them"),
            (FPGASUPDATE, "loads signed ones too, for cards that insist on it"),
        ],
        help="Which of Intel's programs loads images into regions.",
    ),
    cfg.StrOpt("fpgaconf", default="/usr/bin/fpgaconf", help="Where fpgaconf is: an absolute path."),
    cfg.StrOpt("fpgasupdate", default="/usr/bin/fpgasupdate", help="Where fpgasupdate is: an absolute path."),
    cfg.FloatOpt(
        "program_timeout",
        default=120,
        min=1,
        max=3600,
        help="How long loading one image may take, in seconds; then it is ended and the card is not used until it is "
        "known what it is like.",
    ),
    cfg.ListOpt(
        "blank_images",
        default=[],
        help="Files with green bitstreams that do nothing, one for each kind of region: what is loaded into a region "
        "to take out what its last user had in it. Without one for a region, it cannot be blanked.",
    ),
)

_BEFORE_WRITING = frozenset({1, 2, 3, 4})
"""What ``fpgaconf`` exits with when it has not begun to write: bad arguments, bad file, no region found."""


class Programmer:
    """Loads images into the regions of a host's boards."""

    def __init__(self, host: Host, options: cfg.ConfigOpts.GroupAttr) -> None:
        self._host = host
        self._options = options

    def program(self, device: Device, deployable: Deployable, image: Path, progress: Progress) -> None:
        """Load an image, and verify that it is what the region has then.

        :raises InvalidImage: the file is damaged
        :raises ImageMismatch: it was built for another region
        :raises DeviceGone: the board, or the region, is not there
        :raises DeviceInUse: a process works with the region
        :raises ToolMissing: Intel's program is not there
        :raises ToolFailed: it says that it could not
        :raises ActTimedOut: it took too long
        :raises NotVerified: the region has something else in it afterwards
        """
        progress("checking the image")
        header = header_of(image, ImageFormat.GBS)
        board = self._board(device)
        region = self._region(board, deployable, header)
        port = region.port
        if port is None:
            raise ActRefused(
                f"the port to region {region.number} is not to be seen, so what is loaded could not be verified",
                "give its function back to the kernel's FPGA driver",
            )
        if region.number:
            raise ActNotSupported(f"Intel's programs load images into the first region of a board, not {region.number}")
        if header.is_signed and self._options.programmer != FPGASUPDATE:
            raise ActRefused("the image is signed, and fpgaconf does not load such", "set programmer = fpgasupdate")
        check_unused(self._host, [f"/dev/{port.name}"])
        progress(f"loading the image with {self._options.programmer}")
        self._load(board.function.address, image)
        progress("verifying what is loaded")
        self._verify(device, region, header)

    def blank(self, device: Device, deployable: Deployable, progress: Progress) -> None:
        """Load an image that does nothing.

        :raises ActNotSupported: none is configured for the region, or others may work with it; else as ``program``
        """
        if deployable.kind is DeployableKind.VF_POOL and len(deployable.handles) > 1:
            raise ActNotSupported(
                f"the region is behind all {len(deployable.handles)} virtual functions of the card, and others may "
                "work with it",
                "blank the region itself, when nobody has anything of the card",
            )
        board = self._board(device)
        for image in map(Path, self._options.blank_images):
            header = header_of(image, ImageFormat.GBS)
            if _fitting(_candidates(self._host, board, deployable), header):
                self.program(device, deployable, image, progress)
                return
        wanted = " or ".join(region.interface_id for region in _candidates(self._host, board, deployable))
        raise ActNotSupported(
            f"no image that does nothing is configured for a region with interface id {wanted}",
            "name one in the option blank_images of group intel_fpga",
        )

    def _board(self, device: Device) -> Board:
        found = next((board for board in boards(self._host) if board.function.address == device.address), None)
        if found is None:
            raise DeviceGone(f"there is no FPGA board at {device.address}")
        return found

    def _region(self, board: Board, deployable: Deployable, header: ImageHeader) -> Region:
        """The region that an image is to go to: the one that is named, else the only one that it fits."""
        candidates = _candidates(self._host, board, deployable)
        fitting = _fitting(candidates, header)
        if not fitting:
            there = ", ".join(f"region {region.number} has {region.interface_id}" for region in candidates)
            raise ImageMismatch(f"the image was built for interface id {header.interface_ids[0]}, and {there}")
        if len(fitting) > 1:
            names = ", ".join(region.name(card_name(self._host, board.function)) for region in fitting)
            raise ActRefused(f"the image fits several regions of the card: say which of {names}")
        return fitting[0]

    def _load(self, address: PciAddress, image: Path) -> None:
        command = self._command(address, image)
        try:
            self._host.privileged.run(*command, timeout_seconds=self._options.program_timeout)
        except ToolFailed as error:
            if self._options.programmer == FPGACONF and error.status in _BEFORE_WRITING:
                raise ActRefused(str(error)) from error
            raise

    def _command(self, address: PciAddress, image: Path) -> Sequence[str]:
        file = str(image.absolute())
        if self._options.programmer == FPGASUPDATE:
            return self._options.fpgasupdate, "--yes", file, str(address)
        where = {
            "--segment": address.domain,
            "--bus": address.bus,
            "--device": address.device,
            "--function": address.function,
        }
        return (
            self._options.fpgaconf,
            *(word for name, number in where.items() for word in (name, f"{number:#x}")),
            file,
        )

    def _verify(self, device: Device, region: Region, header: ImageHeader) -> None:
        now = next(one for one in self._board(device).regions if one.number == region.number)
        loaded = now.port.afu_id if now.port else ""
        if loaded not in header.function_ids:
            raise NotVerified(
                f"{self._options.programmer} reported no error, and region {region.number} has "
                f"{loaded or 'nothing that can be read'} in it where {header.function_ids[0]} was to be loaded"
            )


def _candidates(host: Host, board: Board, deployable: Deployable) -> Sequence[Region]:
    """The regions that are meant by a deployable: the one that it is, else all of the card."""
    regions = board.regions
    if deployable.kind is DeployableKind.REGION:
        regions = tuple(one for one in regions if one.name(card_name(host, board.function)) == deployable.name)
    if not regions:
        raise DeviceGone(
            f"no region of {deployable.name} is to be seen", "bind the kernel's FPGA driver to the board (dfl-pci)"
        )
    return regions


def _fitting(regions: Sequence[Region], header: ImageHeader) -> Sequence[Region]:
    return [region for region in regions if region.interface_id in header.interface_ids]
