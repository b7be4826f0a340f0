"""A host made of files in which writing has consequences, as it has where a kernel is behind the files.

Files do not bind drivers, make virtual functions or refuse a number. This does, as the kernel's documentation has it
(sysfs-bus-pci, vfio.rst, vfio-mediated-device.rst) and as its driver core answers, for what is written through
``host.privileged``::

    kernel = SimulatedKernel.of(tree)
    driver = PciDriver(kernel.host(), options(PciDriver))
    driver.set_vfs(device, 4, progress)

All it knows is in the tree, so processes that are given the host see the same kernel. ``refuse`` makes it refuse.
"""

import errno
import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accel.drivers.base import Guests, Host
from accel.drivers.sysfs import PciFunction, names_in, pci_function, pci_functions, read_number, read_text
from accel.model.address import PciAddress
from accel.privileged.allowed import context_of
from accel.privileged.direct import Direct
from accel.testing.host_tree import HostTree

_VFIO = "vfio-pci"
_NOTEBOOK = ".kernel"
"""What the kernel remembers that no file of sysfs says, below the root."""
_VIRTUAL_FUNCTION = re.compile(r"virtfn\d+")


@dataclass(frozen=True, slots=True)
class SimulatedKernel(Direct):
    """Acts on a tree as a kernel would."""

    @classmethod
    def of(cls, tree: HostTree, *, drivers: tuple[str, ...] = (_VFIO,)) -> "SimulatedKernel":
        """A kernel that runs the host of a tree, as it stands.

        :param drivers: those that are loaded beside those that functions are bound to
        """
        kernel = cls(tree.root)
        functions = pci_functions(kernel.host())
        own = {str(one.address): one.kernel_driver for one in functions if one.kernel_driver}
        kernel._note("own_drivers", own)
        for name in (*drivers, *own.values()):
            (kernel._drivers / name).mkdir(parents=True, exist_ok=True)
        for function in functions:
            kernel._complete(function)
        (tree.root / "sys/bus/pci/drivers_probe").write_text("")
        return kernel

    def host(self, name: str = "node-1", guests: Guests | None = None) -> Host:
        """The host that a driver is given."""
        return Host(name=name, root=self.root, hands=self, guests=guests or Guests())

    def refuse(self, path: str, number: int) -> None:
        """From now on, answer writes to attributes whose path ends so with an error; 0: not any more."""
        self._note("refused", {**self._noted("refused"), path: number})

    @property
    def resets(self) -> list[str]:
        """What was reset, in order: the names of directories of devices."""
        return list(self._noted("resets").get("names", ()))

    def write(self, path: Path, text: str, *, timeout_seconds: float = 30) -> None:
        """See ``accel.privileged.base.Privileged.write``."""
        del timeout_seconds
        context_of(self.root / "sys", path, text)
        where = path.parent.resolve() / path.name
        if not where.is_file():
            raise OSError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        refused = next((int(one) for end, one in self._noted("refused").items() if where.as_posix().endswith(end)), 0)
        _insist(not refused, refused)
        self._effect(where)(where, text.strip())

    def open_nodes(self, *nodes: str) -> None:
        """From now on, these are the nodes below ``/dev`` that processes have open: ``vfio/12``."""
        self._note("open", {"nodes": list(nodes)})

    def is_open(self, node: Path) -> bool:
        """See ``accel.privileged.base.Privileged.is_open``."""
        return node.relative_to(self.root / "dev").as_posix() in self._noted("open").get("nodes", ())

    def _effect(self, path: Path) -> Callable[[Path, str], None]:
        effects: Mapping[str, Callable[[Path, str], None]] = {
            "driver_override": self._override,
            "drivers_probe": self._probe,
            "unbind": self._unbind,
            "sriov_numvfs": self._set_virtual_functions,
            "reset": self._reset,
            "create": self._create_mdev,
            "remove": self._remove_mdev,
        }
        return effects.get(path.name, _store)

    # --- drivers ---

    def _override(self, path: Path, text: str) -> None:
        _store(path, text or "(null)")

    def _probe(self, path: Path, text: str) -> None:
        del path
        function = self._function(text)
        if function.kernel_driver is None:
            self._attach(function)

    def _attach(self, function: PciFunction) -> None:
        override = read_text(function.path / "driver_override")
        wanted = override if override not in {"", "(null)"} else self._noted("own_drivers").get(str(function.address))
        if wanted and (self._drivers / wanted).is_dir():
            self._link(function.path / "driver", self._drivers / wanted)
            (self._drivers / wanted / "unbind").touch()
        if function.kernel_driver == _VFIO and function.iommu_group is not None:
            node = self.root / "dev/vfio" / str(function.iommu_group)
            node.parent.mkdir(parents=True, exist_ok=True)
            node.touch(mode=0o600)

    def _unbind(self, path: Path, text: str) -> None:
        function = self._function(text)
        _insist(function.kernel_driver == path.parent.name, errno.ENODEV)
        (function.path / "driver").unlink()
        same_group = [one for one in pci_functions(self.host()) if one.iommu_group == function.iommu_group]
        if path.parent.name == _VFIO and all(one.kernel_driver != _VFIO for one in same_group):
            (self.root / "dev/vfio" / str(function.iommu_group)).unlink(missing_ok=True)

    # --- virtual functions ---

    def _set_virtual_functions(self, path: Path, text: str) -> None:
        function, wanted, now = self._function(path.parent.name), int(text), read_number(path) or 0
        if wanted == now:
            return
        _insist(function.kernel_driver not in {None, _VFIO}, errno.ENOENT)
        _insist(wanted <= function.total_virtual_functions, errno.ERANGE)
        _insist(not (wanted and now), errno.EBUSY)
        for index in range(wanted):
            self._make_virtual_function(function, index)
        if not wanted:
            for address in function.virtual_functions:
                self._take_away(self._function(str(address)).path)
            for name in filter(_VIRTUAL_FUNCTION.fullmatch, names_in(function.path)):
                (function.path / name).unlink()
        _store(path, text)

    def _make_virtual_function(self, physical: PciFunction, index: int) -> None:
        offset, stride = (read_number(physical.path / f"sriov_{name}") or 1 for name in ("offset", "stride"))
        at = physical.address
        number = (at.bus << 8 | at.device << 3 | at.function) + offset + stride * index
        address = PciAddress(at.domain, number >> 8, number >> 3 & 0x1F, number & 7)
        directory = physical.path.parent / str(address)
        product = read_text(physical.path / "sriov_vf_device") or physical.product
        known = {"vendor": f"0x{physical.vendor}", "device": f"0x{product}", "class": f"0x{physical.class_code:06x}"}
        directory.mkdir()
        for name, value in {**known, "reset": ""}.items():
            (directory / name).write_text(f"{value}\n")
        self._link(self.root / "sys/bus/pci/devices" / str(address), directory)
        self._link(directory / "physfn", physical.path)
        self._link(physical.path / f"virtfn{index}", directory)
        function = self._function(str(address))
        if physical.iommu_group is not None:
            groups = [one.iommu_group or 0 for one in pci_functions(self.host())]
            self._link(directory / "iommu_group", self.root / f"sys/kernel/iommu_groups/{max(groups) + 1}")
        self._complete(function)
        own = {**self._noted("own_drivers"), str(address): physical.kernel_driver}
        self._note("own_drivers", own)
        if read_text(physical.path / "sriov_drivers_autoprobe") == "1":
            self._attach(function)

    # --- mediated devices ---

    def _create_mdev(self, path: Path, uuid: str) -> None:
        devices, kind = self.root / "sys/bus/mdev/devices", path.parent
        _insist(not (devices / uuid).exists(), errno.EEXIST)
        left = read_number(kind / "available_instances") or 0
        _insist(left > 0, errno.EUSERS)
        directory = kind.parent.parent / uuid
        directory.mkdir()
        (directory / "remove").write_text("")
        self._link(directory / "mdev_type", kind)
        group = 1000 + len(list(devices.iterdir())) if devices.exists() else 1000
        self._link(directory / "iommu_group", self.root / f"sys/kernel/iommu_groups/{group}")
        node = self.root / f"dev/vfio/{group}"
        node.parent.mkdir(parents=True, exist_ok=True)
        node.touch(mode=0o600)
        self._link(devices / uuid, directory)
        self._link(kind / "devices" / uuid, directory)
        _store(kind / "available_instances", str(left - 1))

    def _remove_mdev(self, path: Path, text: str) -> None:
        _insist(text == "1", errno.EINVAL)
        directory = path.parent
        kind = (directory / "mdev_type").resolve()
        (kind / "devices" / directory.name).unlink()
        (self.root / "sys/bus/mdev/devices" / directory.name).unlink()
        shutil.rmtree(directory)
        _store(kind / "available_instances", str((read_number(kind / "available_instances") or 0) + 1))

    # --- resets ---

    def _reset(self, path: Path, text: str) -> None:
        _insist(text == "1", errno.EINVAL)
        self._note("resets", {"names": [*self.resets, path.parent.name]})

    def _take_away(self, directory: Path) -> None:
        (self.root / "sys/bus/pci/devices" / directory.name).unlink()
        shutil.rmtree(directory)

    # --- what it knows ---

    @property
    def _drivers(self) -> Path:
        return self.root / "sys/bus/pci/drivers"

    def _function(self, address: str) -> PciFunction:
        function = pci_function(self.host(), PciAddress.parse(address))
        if function is None:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        return function

    def _complete(self, function: PciFunction) -> None:
        """Give a function the attributes that every one has."""
        if not (function.path / "driver_override").exists():
            (function.path / "driver_override").write_text("(null)\n")
        if function.total_virtual_functions:
            for name, text in {"sriov_numvfs": "0\n", "sriov_drivers_autoprobe": "1\n"}.items():
                if not (function.path / name).exists():
                    (function.path / name).write_text(text)
        if function.kernel_driver:
            (self._drivers / function.kernel_driver / "unbind").touch()
        for kind in (function.path / "mdev_supported_types").glob("*"):
            (kind / "create").touch()

    def _link(self, link: Path, target: Path) -> None:
        link.parent.mkdir(parents=True, exist_ok=True)
        target.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(target, link.parent))

    def _noted(self, what: str) -> dict[str, Any]:
        try:
            noted: dict[str, Any] = json.loads((self.root / _NOTEBOOK / f"{what}.json").read_text())
        except FileNotFoundError:
            return {}
        return noted

    def _note(self, what: str, value: Mapping[str, object]) -> None:
        file = self.root / _NOTEBOOK / f"{what}.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(value))


def _store(path: Path, text: str) -> None:
    path.write_text(f"{text}\n")


def _insist(is_so: bool, number: int) -> None:  # noqa: FBT001  # reads as a sentence
    """Go on, or answer as the kernel does."""
    if not is_so:
        raise OSError(number, os.strerror(number))
