"""Telling systemd how the service is, as sd_notify(3) describes it: datagrams to the socket in NOTIFY_SOCKET."""

import socket
from collections.abc import Mapping

_MICROSECONDS = 1_000_000


class Notifier:
    """Sends notifications; does nothing where nobody listens.

    :param environment: of the process: NOTIFY_SOCKET and WATCHDOG_USEC are read
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        name = environment.get("NOTIFY_SOCKET", "")
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        watchdog = environment.get("WATCHDOG_USEC", "")
        self.watchdog_seconds: float | None = int(watchdog) / _MICROSECONDS if watchdog.isdecimal() else None
        """How long systemd waits for a sign of life before it restarts the service; None: for ever."""

    def ready(self, status: str) -> None:
        """The service has started."""
        self._send(f"READY=1\nSTATUS={status}")

    def alive(self, status: str) -> None:
        """The service is working, and how."""
        self._send(f"WATCHDOG=1\nSTATUS={status}")

    def stopping(self) -> None:
        """The service is about to end."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            try:
                sender.sendto(message.encode(), self._address)
            except OSError:
                return  # whoever started us listens no more, and there is nobody else to tell
