"""The plugins that a kubelet knows, one for each resource: calling them back, following their lists."""

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from accel.protos import kubelet_device_plugin_v1beta1_pb2 as wire
from accel.testing.kubelet.devices import Listed

MAX_RECEIVE_BYTES = 4_194_304
"""What a kubelet takes in one message."""

_SERVICE = "/v1beta1.DevicePlugin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a kubelet waits for what; for tests that have not so much time, less."""

    dial_seconds: float = 10.0
    """For a plugin that it calls back."""
    grace_seconds: float = 300.0
    """How long the devices of a plugin that has gone are still counted in the capacity."""
    pre_start_seconds: float = 30.0


@dataclass(slots=True)
class Plugin:
    """A plugin that is registered, or was."""

    path: Path
    channel: Any
    options: wire.DevicePluginOptions
    listed: Listed = field(default_factory=Listed)
    stream: Any = None
    ended_at: float | None = None

    def call(self, method: str, request: Any, answer: Any, timeout: float | None = None) -> Any:
        """Call it; without a limit, as a kubelet does.

        :raises grpc.RpcError: it refuses
        """
        function = self.channel.unary_unary(
            f"{_SERVICE}/{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        return function(request, timeout=timeout)


class Plugins:
    """All plugins, by the names of their resources.

    :param listed: called after each list
    :param old_end_disconnects: whether the end of an old plugin's list disconnects the new one too, as it does up to
        Kubernetes 1.34
    """

    def __init__(self, limits: "Limits", listed: Callable[[], None], *, old_end_disconnects: bool = True) -> None:
        self.limits = limits
        self._listed = listed
        self._old_end_disconnects = old_end_disconnects
        self._changed = threading.Condition()
        self._plugins: dict[str, Plugin] = {}
        self._ever: list[Plugin] = []
        self._dropped: set[str] = set()
        self._threads: list[threading.Thread] = []

    def connect(self, resource: str, path: Path) -> None:
        """Call a plugin back, and follow its list from now on.

        :raises TimeoutError: nobody answers there
        :raises grpc.RpcError: it does not say its options
        """
        options = [("grpc.max_receive_message_length", MAX_RECEIVE_BYTES), ("grpc.default_authority", "localhost")]
        channel = grpc.insecure_channel(f"unix:{path}", options)
        try:
            grpc.channel_ready_future(channel).result(self.limits.dial_seconds)
        except grpc.FutureTimeoutError:
            channel.close()
            raise TimeoutError("failed to dial device plugin: context deadline exceeded") from None
        plugin = Plugin(path, channel, wire.DevicePluginOptions())
        plugin.options = plugin.call("GetDevicePluginOptions", wire.Empty(), wire.DevicePluginOptions)
        with self._changed:
            before = self._plugins.get(resource)
            if before is not None:
                plugin.listed = Listed(dict.fromkeys(before.listed.health, False), before.listed.numa)
            self._plugins[resource] = plugin
            self._ever.append(plugin)
            self._dropped.discard(resource)
            thread = threading.Thread(target=self._follow, args=(resource, plugin), daemon=True)
            self._threads.append(thread)
        thread.start()

    def disconnect(self, resource: str) -> None:
        """Follow a plugin's list no more."""
        plugin = self._plugins.get(resource)
        if plugin is not None and plugin.stream is not None:
            plugin.stream.cancel()

    def close(self) -> None:
        """End all connections."""
        with self._changed:
            plugins = list(self._ever)
        for plugin in plugins:
            with suppress(ValueError):
                plugin.channel.close()
        for thread in self._threads:
            thread.join()

    def __getitem__(self, resource: str) -> Plugin:
        """The plugin of a resource.

        :raises KeyError: there is none
        """
        return self._plugins[resource]

    def is_connected(self, resource: str) -> bool:
        """Whether the list of a resource is followed now."""
        plugin = self._plugins.get(resource)
        return plugin is not None and plugin.ended_at is None

    def capacity(self) -> dict[str, int]:
        """How many of each resource there are; those of a plugin that has gone count for a while, then as 0."""
        with self._changed:
            self._drop_old()
            counts = {name: len(one.listed.health) for name, one in self._plugins.items()}
            return {**dict.fromkeys(self._dropped, 0), **counts}

    def allocatable(self) -> dict[str, int]:
        """How many of each are healthy."""
        with self._changed:
            self._drop_old()
            counts = {name: sum(one.listed.health.values()) for name, one in self._plugins.items()}
            return {**dict.fromkeys(self._dropped, 0), **counts}

    def healthy(self) -> dict[str, list[str]]:
        """The devices of each resource that can be given away."""
        with self._changed:
            return {
                name: [one for one, fit in each.listed.health.items() if fit] for name, each in self._plugins.items()
            }

    def wait(self, holds: Callable[[], bool], timeout_seconds: float) -> bool:
        """Wait until something is true of the lists; gives whether it has been in time."""
        with self._changed:
            return self._changed.wait_for(holds, timeout_seconds)

    def _drop_old(self) -> None:
        now = time.monotonic()
        for name, plugin in list(self._plugins.items()):
            if plugin.ended_at is not None and now - plugin.ended_at >= self.limits.grace_seconds:
                del self._plugins[name]
                self._dropped.add(name)

    def _follow(self, resource: str, plugin: Plugin) -> None:
        function = plugin.channel.unary_stream(
            f"{_SERVICE}/ListAndWatch",
            request_serializer=wire.Empty.SerializeToString,
            response_deserializer=wire.ListAndWatchResponse.FromString,
        )
        with suppress(grpc.RpcError, ValueError):
            plugin.stream = function(wire.Empty())
            for message in plugin.stream:
                with self._changed:
                    plugin.listed = Listed.of(message, plugin.listed.lists + 1)
                    self._changed.notify_all()
                self._listed()
        self._end(resource, plugin)

    def _end(self, resource: str, plugin: Plugin) -> None:
        """All devices are unhealthy at once; what becomes of a newer plugin is a matter of the version."""
        with self._changed:
            current = self._plugins.get(resource)
            plugin.ended_at = time.monotonic()
            if current is plugin or self._old_end_disconnects:
                one = current or plugin
                one.listed = Listed(dict.fromkeys(one.listed.health, False), one.listed.numa, one.listed.lists)
                one.ended_at = time.monotonic()
            self._changed.notify_all()
        if current is not None and current is not plugin and self._old_end_disconnects and current.stream is not None:
            current.stream.cancel()
        with suppress(ValueError):
            plugin.channel.close()
