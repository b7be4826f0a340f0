"""How a kubelet finds plugins by itself: it watches a directory of sockets and asks each what is behind it."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc

from accel.protos import kubelet_plugin_registration_v1_pb2 as wire
from accel.testing.kubelet.names import VERSION, is_extended_resource
from accel.testing.kubelet.plugins import Plugins

_LOOP_SECONDS = 1.0
_INFO_SECONDS = 1.0
_NOTIFY_SECONDS = 5.0
_SERVICE = "/pluginregistration.Registration"


class PluginWatcher:
    """Looks once a second. A socket that comes is registered, one that goes is disconnected; dot-files are none."""

    def __init__(self, directory: Path, plugins: Plugins, registrations: list[str]) -> None:
        self._directory = directory
        self._plugins = plugins
        self._registrations = registrations
        self._known: dict[tuple[Path, int], str] = {}
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._is_stopped.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._is_stopped.wait(_LOOP_SECONDS):
            found = set(self._sockets())
            for key in self._known.keys() - found:
                self._plugins.disconnect(self._known.pop(key))
            for key in found - self._known.keys():
                resource = self._register(key[0])
                if resource:
                    self._known[key] = resource

    def _sockets(self) -> Iterator[tuple[Path, int]]:
        for path in self._directory.rglob("*.sock"):
            if path.name[0] != ".":
                with suppress(FileNotFoundError):  # it has gone meanwhile
                    yield path, path.stat().st_ino

    def _register(self, path: Path) -> str:
        """The resource behind a socket; empty where there is none."""
        with grpc.insecure_channel(f"unix:{path}") as channel:
            try:
                grpc.channel_ready_future(channel).result(self._plugins.limits.dial_seconds)
                info = _call(channel, "GetInfo", wire.InfoRequest(), wire.PluginInfo, _INFO_SECONDS)
            except (grpc.FutureTimeoutError, grpc.RpcError):
                return ""
            error = self._refusal(info)
            if not error:
                try:
                    self._plugins.connect(info.name, Path(info.endpoint or path))
                except (TimeoutError, grpc.RpcError) as failure:
                    error = str(failure)
            status = wire.RegistrationStatus(plugin_registered=not error, error=error)
            with suppress(grpc.RpcError):  # what is registered stays so, whether it has heard of that or not
                _call(channel, "NotifyRegistrationStatus", status, wire.RegistrationStatusResponse, _NOTIFY_SECONDS)
        if error:
            return ""
        self._registrations.append(info.name)
        return str(info.name)

    @staticmethod
    def _refusal(info: wire.PluginInfo) -> str:
        if info.type != "DevicePlugin":
            return f"no handler registered for plugin type: {info.type}"
        if VERSION not in info.supported_versions:
            return f"device plugin versions, {info.supported_versions}, are not among the supported ones, [{VERSION}]"
        return "" if is_extended_resource(info.name) else f"invalid name of device plugin socket: {info.name}"


def _call(channel: Any, method: str, request: Any, answer: Any, timeout: float) -> Any:
    function = channel.unary_unary(
        f"{_SERVICE}/{method}",
        request_serializer=type(request).SerializeToString,
        response_deserializer=answer.FromString,
    )
    return function(request, timeout=timeout)
