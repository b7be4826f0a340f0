"""Acts on a host made of files: whoever may write the files may act. The lists of what is allowed count here, too."""

from dataclasses import dataclass
from pathlib import Path

from accel.privileged import blocks, files, nvme, tools
from accel.privileged.allowed import context_of
from accel.privileged.base import AdminAnswer, AdminCommand, Context, NodeAccess
from accel.privileged.files import named_errors


@dataclass(frozen=True, slots=True)
class Direct:
    """Acts below a directory.

    :param root: what stands for ``/``: a captured host, or the host's root mounted in a container
    """

    root: Path

    @property
    def _sysfs(self) -> Path:
        return self.root / "sys"

    @property
    def _dev(self) -> Path:
        return self.root / "dev"

    def write(self, path: Path, text: str, *, timeout_seconds: float = 30) -> None:
        """See ``base.Privileged.write``; there is no time limit."""
        del timeout_seconds
        with named_errors(path):
            files.write(context_of(self._sysfs, path, text), self._sysfs, path, text)

    def run(self, *command: str, timeout_seconds: float = 60) -> str:
        """See ``base.Privileged.run``; whoever it belongs to, the program is run."""
        finished = tools.run(command, timeout_seconds=timeout_seconds, must_be_root_s=False)
        return tools.printed(command, finished)

    def end_tool(self) -> bool:
        """See ``base.Privileged.end_tool``."""
        return tools.end_running()

    def nvme_admin(self, node: Path, command: AdminCommand, *, timeout_seconds: float = 60) -> AdminAnswer:
        """See ``base.Privileged.nvme_admin``."""
        with named_errors(node):
            return nvme.send(self._dev, node, command, timeout_seconds=timeout_seconds)

    def read_blocks(self, node: Path, offset: int, length: int, *, timeout_seconds: float = 60) -> bytes:
        """See ``base.Privileged.read_blocks``; there is no time limit."""
        del timeout_seconds
        with named_errors(node):
            return blocks.read(self._dev, node, offset, length)

    def zero_blocks(self, node: Path, offset: int, length: int, *, timeout_seconds: float = 600) -> None:
        """See ``base.Privileged.zero_blocks``; there is no time limit."""
        del timeout_seconds
        with named_errors(node):
            blocks.zero(self._dev, node, offset, length)

    def nvml(self, call: str, *arguments: str | int, timeout_seconds: float = 60) -> str:
        """See ``base.Privileged.nvml``; the library tells of the machine we run on, and there is no time limit."""
        from accel.privileged.nvml import call as ask  # noqa: PLC0415  # it loads NVIDIA's bindings

        del timeout_seconds
        return ask(call, *arguments)

    def give(self, node: Path, access: NodeAccess) -> None:
        """See ``base.Privileged.give``."""
        with named_errors(node):
            files.give(self._dev, node, access)

    def is_open(self, node: Path) -> bool:
        """See ``base.Privileged.is_open``."""
        with named_errors(node):
            return files.is_open(self._dev, node)

    def check(self, context: Context) -> str:
        """See ``base.Privileged.check``; what may not be written shows when it is tried."""
        return f"acts of the context {context} are done below {self.root}, as the user we are"
