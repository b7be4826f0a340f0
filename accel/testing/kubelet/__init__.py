"""A kubelet for tests of device plugins: what a real one does with a plugin, without containers.

It behaves as the device manager of Kubernetes 1.32 has been seen to behave, its oddities among them: it registers by
calling back, forgets its plugins when it restarts, admits pods one at a time, waits for a plugin without end, and
replays what a plugin once answered. It speaks grpcio, so that a plugin of another making is tested against a stranger::

    with Kubelet(directory) as kubelet:
        start_plugin(directory / "device-plugins")
        kubelet.wait_for("accel.io/gpu", allocatable=8)
        admitted = kubelet.admit(Pod("default", "train", {"main": {"accel.io/gpu": 2}}))
"""

from accel.testing.kubelet.devices import Admitted, Pod, PodRefused
from accel.testing.kubelet.kubelet import ContainerRefused, Kubelet
from accel.testing.kubelet.plugins import Limits
from accel.testing.kubelet.process import KubeletProcess

__all__ = ["Admitted", "ContainerRefused", "Kubelet", "KubeletProcess", "Limits", "Pod", "PodRefused"]
