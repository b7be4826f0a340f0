"""A virtual machine with an IOMMU and devices to pull, which boots a Debian kernel on the files of this machine.

It needs Debian's qemu-system-x86, and apt-get, which gives the kernel. What the guest writes stays in its memory. It is
emulated by software, so it runs on any machine, as slowly.
"""

import gzip
import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from support.processes import free_port
from support.waiting import until

REPOSITORY = Path(__file__).parents[2]
BUILD = REPOSITORY / "build/qemu"
DATA = REPOSITORY / "tests/data/qemu"
EMULATOR = "/usr/bin/qemu-system-x86_64"
PATIENCE_SECONDS = 300
_KERNEL = "console=ttyS0 panic=-1 intel_iommu=on no_timer_check"
"""What the kernel is told; it would take an emulator that gets no processor for a moment for a broken timer."""
_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_net", "nvme", "vfio_iommu_type1", "vfio-pci")


def what_is_missing() -> str:
    """Why no machine can be booted here, in words; empty where one can."""
    missing = [program for program in (EMULATOR, "/usr/bin/apt-get") if not Path(program).exists()]
    return f"{' and '.join(missing)} is not there: apt-get install qemu-system-x86" if missing else ""


@dataclass(frozen=True)
class Boot:
    """What a machine is booted with."""

    kernel: Path
    initramfs: Path


def boot_files() -> Boot:
    """The newest kernel of the distribution and what it starts, fetched and made once."""
    BUILD.mkdir(parents=True, exist_ok=True)
    boot = Boot(BUILD / "vmlinuz", BUILD / "initramfs.gz")
    if not boot.initramfs.exists():
        root = _fetched()
        boot.kernel.write_bytes(next((root / "boot").glob("vmlinuz-*")).read_bytes())
        _write_initramfs(root, boot.initramfs)
    return boot


def _fetched() -> Path:
    """The files of the packages."""
    said = subprocess.run(
        ["apt-cache", "depends", "linux-image-amd64"], capture_output=True, text=True, check=True
    ).stdout
    kernel = next(line.split()[1] for line in said.splitlines() if "Depends: linux-image-" in line)
    packages = BUILD / "packages"
    packages.mkdir(exist_ok=True)
    subprocess.run(["apt-get", "download", "-qq", kernel, "busybox-static"], cwd=packages, check=True)
    for package in packages.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, BUILD / "root"], check=True)
    return BUILD / "root"


def _write_initramfs(root: Path, archive: Path) -> None:
    """The first program, busybox, and the modules that a guest needs with the list of what they depend on."""
    (version,) = (root / "lib/modules").iterdir()
    subprocess.run([root / "bin/busybox", "depmod", "-b", root, version.name], check=True)
    files = {"init": DATA / "init", "bin/busybox": root / "bin/busybox"}
    for name in (*_needed(version / "modules.dep"), "modules.dep", "modules.alias", "modules.symbols"):
        files[f"lib/modules/{version.name}/{name}"] = version / name
    with gzip.open(archive.with_suffix(".new"), "wb", compresslevel=1) as stream:
        for folder in sorted({str(above) for name in files for above in Path(name).parents if str(above) != "."}):
            _pack(stream, folder, b"", stat.S_IFDIR | 0o755)
        for folder in ("proc", "sys", "dev"):
            _pack(stream, folder, b"", stat.S_IFDIR | 0o755)
        for name, file in files.items():
            _pack(stream, name, file.read_bytes(), stat.S_IFREG | 0o755)
        _pack(stream, "TRAILER!!!", b"", 0)
    archive.with_suffix(".new").rename(archive)


def _needed(table: Path) -> set[str]:
    """The files of the modules that a guest wants and of all that they depend on, by ``modules.dep``."""
    lines = [line.partition(":") for line in table.read_text().splitlines()]
    depends = {file: after.split() for file, _, after in lines}
    waiting = [file for file in depends if Path(file).stem in _MODULES]
    found: set[str] = set()
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += depends[file]
    return found


def _pack(stream: IO[bytes], name: str, content: bytes, mode: int) -> None:
    """One file of a cpio archive in the form that the kernel reads, as its initramfs documentation has it."""
    fields = (0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
    header = b"070701" + "".join(f"{field:08x}" for field in fields).encode() + name.encode() + b"\0"
    stream.write(header + b"\0" * (-len(header) % 4) + content + b"\0" * (-len(content) % 4))


class Machine:
    """A machine that runs."""

    def __init__(self, control: socket.socket, shell_port: int, console: Path) -> None:
        self._control = control.makefile("rw")
        self._shell_port = shell_port
        self.console = console
        self._control.readline()  # the greeting
        self.control("qmp_capabilities")

    def control(self, command: str, **arguments: Any) -> Any:
        """Have the emulator do something; its answer."""
        self._control.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._control.flush()
        while True:
            said = json.loads(self._control.readline())
            if "error" in said:
                raise AssertionError(f"{command} {arguments}: {said['error']}")
            if "return" in said:
                return said["return"]

    def pull(self, device: str) -> None:
        """Have the guest let go of a device; it is gone when it has."""
        self.control("device_del", id=device)

    def plug(self, **device: Any) -> None:
        """Put a device into a slot."""
        self.control("device_add", **device)

    def shell(self, command: str) -> str:
        """What a command prints in the guest, run by root."""
        with socket.create_connection(("127.0.0.1", self._shell_port), timeout=PATIENCE_SECONDS) as connection:
            connection.sendall(f"{command} 2>&1; exit\n".encode())
            return connection.makefile().read().strip()


def _disk(name: str, file: Path) -> str:
    return json.dumps({"driver": "raw", "node-name": name, "file": {"driver": "file", "filename": str(file)}})


def _has_started(console: Path, process: "subprocess.Popen[bytes]") -> bool:
    assert process.poll() is None, console.read_text(errors="replace")[-2000:]
    return console.exists() and "the agent starts" in console.read_text(errors="replace")


@contextmanager
def machine(
    directory: Path, config: Path, devices: Mapping[str, Mapping[str, Any]], disks: Mapping[str, Path]
) -> Iterator[Machine]:
    """A machine whose agent reads a configuration file.

    :param directory: where its console and its disks are
    :param devices: more devices by their ids, in order: the driver and its properties
    :param disks: files that are disks, by the names that devices know them by
    """
    boot, shell_port, console = boot_files(), free_port(), directory / "console.txt"
    words = {
        "accel.start": DATA / "start",
        "accel.config": config,
        "accel.python": sys.executable,
        "accel.path": os.environ.get("PYTHONPATH") or REPOSITORY,
    }
    command = [
        EMULATOR,
        *("-machine", "q35,accel=tcg,kernel-irqchip=split", "-cpu", "max", "-smp", "2", "-m", "1024"),
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-device", "intel-iommu,intremap=on,caching-mode=on"),
        *("-kernel", str(boot.kernel), "-initrd", str(boot.initramfs)),
        *("-append", f"{_KERNEL} {' '.join(f'{k}={v}' for k, v in words.items())}"),
        *("-serial", f"file:{console}"),
        *("-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap"),
        *("-device", "virtio-9p-pci,fsdev=host,mount_tag=host"),
        *("-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{shell_port}-:2222", "-device", "virtio-net-pci,netdev=net"),
        *(word for name, file in disks.items() for word in ("-blockdev", _disk(name, file))),
        *(word for name, device in devices.items() for word in ("-device", json.dumps({"id": name, **device}))),
    ]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        command += ["-chardev", f"socket,id=control,fd={theirs.fileno()}", "-mon", "control,mode=control"]
        with subprocess.Popen(command, pass_fds=[theirs.fileno()]) as process:
            theirs.close()
            try:
                running = Machine(ours, shell_port, console)
                until(lambda: _has_started(console, process), patience_seconds=PATIENCE_SECONDS)
                yield running
            finally:
                process.kill()
