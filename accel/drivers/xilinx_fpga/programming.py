"""Loading images into Alveo cards, and flashing shells into them, with the programs of Xilinx' runtime (XRT).

What a user loads is gone when the card loses power, and is verified by the id that the user function shows. A shell
goes into the flash memory: the card runs it, and shows it, when the host has been switched off and on again.
"""

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from oslo_config import cfg

from accel.drivers.acts import Progress
from accel.drivers.base import Host
from accel.drivers.image_file import header_of
from accel.drivers.open_nodes import check_unused
from accel.drivers.pci_card import device_nodes
from accel.drivers.xilinx_fpga.boards import Board, boards
from accel.drivers.xilinx_fpga.functions import AlveoFunction
from accel.errors import ActRefused, DeviceGone, ImageMismatch, InvalidImage, NotVerified
from accel.model.device import Deployable, DeployableKind, Device
from accel.model.image import ImageFormat, ImageHeader, ImagePurpose

_XRT = "/opt/xilinx/xrt/bin"

OPTIONS: Sequence[cfg.Opt] = (
    cfg.StrOpt(
        "xrt_smi",
        default=f"{_XRT}/xrt-smi",
        help="Where xrt-smi is, or xbutil of an older runtime: an absolute path. It loads images and resets cards.",
    ),
    cfg.StrOpt(
        "xbmgmt", default=f"{_XRT}/xbmgmt", help="Where xbmgmt is: an absolute path. It flashes shells into cards."
    ),
    cfg.FloatOpt(
        "program_timeout",
        default=300,
        min=1,
        max=3600,
        help="How long loading one image may take, or resetting a card, in seconds; then it is ended and the card is "
        "not used until it is known what it is like.",
    ),
    cfg.FloatOpt(
        "flash_timeout",
        default=3600,
        min=1,
        max=14400,
        help="How long flashing a shell may take, in seconds. A card that was ended while it was flashed may not start "
        "again: give it time.",
    ),
)

_HALF_FLASHED = "a card whose flash memory is half written may not start again"
_ALVEO = re.compile(r"Alveo (\w+)")
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")


class Programmer:
    """Loads images into a host's cards."""

    def __init__(self, host: Host, options: cfg.ConfigOpts.GroupAttr) -> None:
        self._host = host
        self._options = options

    def program(self, device: Device, deployable: Deployable, image: Path, progress: Progress) -> None:
        """Load an image into the user's region, or flash a shell: the file says which it is for.

        :raises InvalidImage: the file is damaged
        :raises ImageMismatch: it was built for another shell, or another card
        :raises DeviceGone: the card, or the function that it takes, is not there
        :raises DeviceInUse: a process works with the card
        :raises ToolMissing: the program of the runtime is not there
        :raises ToolFailed: it says that it could not
        :raises ActTimedOut: it took too long
        :raises NotVerified: the card has something else in it afterwards
        """
        progress("checking the image")
        header = header_of(image, ImageFormat.XCLBIN)
        if header.purpose is not ImagePurpose.SHELL:
            self._load(device, image, header, progress)
        elif deployable.kind is DeployableKind.CARD:
            self._flash(device, image, header, progress)
        else:
            raise ImageMismatch(f"the image is a shell for a whole card, and {deployable.name} is a part of one")

    def blank(self, device: Device, deployable: Deployable, progress: Progress) -> None:
        """Reset the user's region, which takes out what is loaded; as ``program``."""
        del deployable  # there is one region
        user = self._user(self._board(device))
        check_unused(self._host, _nodes([user]))
        progress("resetting the card")
        address = str(user.function.address)
        self._run(self._options.xrt_smi, "reset", "--device", address, "--force")
        progress("verifying that nothing is loaded")
        if loaded := self._user(self._board(device)).image_id:
            raise NotVerified(f"the card has been reset, and {loaded} is still loaded")

    def _load(self, device: Device, image: Path, header: ImageHeader, progress: Progress) -> None:
        board = self._board(device)
        user = self._user(board)
        _check_shell(board, header)
        check_unused(self._host, _nodes([user]))
        progress("loading the image")
        address = str(user.function.address)
        self._run(self._options.xrt_smi, "program", "--device", address, "--user", str(image.absolute()))
        progress("verifying what is loaded")
        loaded = self._user(self._board(device)).image_id
        if loaded not in header.function_ids:
            raise NotVerified(
                f"no error was reported, and the card has {loaded or 'nothing'} loaded where "
                f"{header.function_ids[0]} was to be"
            )

    def _flash(self, device: Device, image: Path, header: ImageHeader, progress: Progress) -> None:
        board = self._board(device)
        if board.management is None:
            raise DeviceGone("the function that manages the card is not to be seen: it cannot be flashed from here")
        _check_card(device, board, header)
        check_unused(self._host, _nodes(board.functions))
        progress("flashing the shell: this takes minutes", must_go_on=_HALF_FLASHED)
        address = str(board.management.function.address)
        command = ("program", "--device", address, "--base", "--image", str(image.absolute()), "--force")
        self._host.privileged.run(self._options.xbmgmt, *command, timeout_seconds=self._options.flash_timeout)
        progress("flashed: the card runs the shell once the host has been switched off and on again", 1.0)

    def _run(self, *command: str) -> None:
        self._host.privileged.run(*command, timeout_seconds=self._options.program_timeout)

    def _board(self, device: Device) -> Board:
        found = next((one for one in boards(self._host) if one.first.function.address == device.address), None)
        if found is None:
            raise DeviceGone(f"there is no Alveo card at {device.address}")
        return found

    def _user(self, board: Board) -> AlveoFunction:
        if board.is_golden:
            raise ActRefused("the card runs the image of the factory", "flash a shell into it first")
        if board.user is None:
            raise DeviceGone(
                "the user function of the card is not to be seen", "bind the runtime's driver to it (xocl)"
            )
        return board.user


def _nodes(functions: Collection[AlveoFunction]) -> Sequence[str]:
    texts = (device_nodes(one.function, "xrt_mgmt", "drm") for one in functions)
    return [node for text in texts if text for node in text.split(", ")]


def _check_shell(board: Board, header: ImageHeader) -> None:
    """Whether an image was built for the shell that a card runs.

    Shells of the second generation have interface ids. Those of the first are known by their names and the moment when
    they were built, which is what the runtime's kernel driver compares.
    """
    if not header.function_ids:
        raise InvalidImage("its id is all zeros, so what is loaded could not be verified")
    if board.interface_ids:
        if not set(board.interface_ids) & set(header.interface_ids):
            built_for = " or ".join(header.interface_ids) or f"none ({header.platform or 'no platform is named'})"
            raise ImageMismatch(
                f"the image was built for interface id {built_for}, and the card has {', '.join(board.interface_ids)}"
            )
    elif not board.shell:
        raise ActRefused("what shell the card runs is not to be seen", "bind the runtime's drivers to its functions")
    elif _plain(board.shell) != _plain(header.platform) or _is_another_build(board, header):
        raise ImageMismatch(f"the image was built for {_shell_of(header)}, and the card runs {_shell_on(board)}")


def _is_another_build(board: Board, header: ImageHeader) -> bool:
    """What is not known is no difference."""
    return bool(board.shell_time and header.platform_built_at) and board.shell_time != _built_at(header)


def _built_at(header: ImageHeader) -> str:
    """As the kernel's driver writes it: seconds since 1970."""
    time = header.platform_built_at
    return str(int(time.timestamp())) if time else ""


def _shell_of(header: ImageHeader) -> str:
    return _dated(header.platform or "a platform that it does not name", _built_at(header))


def _shell_on(board: Board) -> str:
    return _dated(board.shell, board.shell_time)


def _dated(platform: str, time: str) -> str:
    return f"{platform} of {time}" if time else platform


def _check_card(device: Device, board: Board, header: ImageHeader) -> None:
    """Whether a shell is for this kind of card: another card's may leave it without life."""
    wanted, model = _card_name(header.platform), _ALVEO.match(device.model)
    there = _card_name(board.shell) or (model[1].lower() if model else "")
    if not wanted or not there:
        raise ActRefused(
            f"whether the shell is for this kind of card is not known: it names {header.platform or 'no platform'}, "
            f"and the card is a {device.model} that runs {board.shell or 'what is not to be seen'}"
        )
    if wanted != there:
        raise ImageMismatch(f"the shell is for cards of the kind {wanted}, and the card is a {there}")


def _card_name(platform: str) -> str:
    """The second of the four names in ``xilinx:u250:gen3x16_xdma_shell:4.1``, or in its form with ``_``."""
    words = _plain(platform).split("_")
    return words[1] if len(words) > 2 else ""


def _plain(platform: str) -> str:
    """The name of a platform as it is compared: files write it with colons and dots, the kernel's drivers without."""
    return _NOT_IN_NAMES.sub("_", platform.lower())
