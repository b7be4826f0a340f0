"""Option group ``kubernetes``: what we make of the pods of a Kubernetes cluster."""

from oslo_config import cfg

GROUP = cfg.OptGroup(
    "kubernetes",
    title="Kubernetes",
    help="What the API makes of the pods that a kube-scheduler asks about, at /v2/kubernetes.",
)

OPTIONS: list[cfg.Opt] = [
    cfg.MultiStrOpt(
        "resource",
        default=[
            "nvidia.com/gpu: type = GPU, vendor = 10de, kind = card",
            "amd.com/gpu: type = GPU, vendor = 1002, kind = card",
            "gpu.intel.com/i915: type = GPU, vendor = 8086",
            "gpu.intel.com/xe: type = GPU, vendor = 8086",
            "accel.io/gpu: type = GPU",
            "accel.io/fpga: type = FPGA",
            "accel.io/nvme: type = NVME",
        ],
        help="What one of an extended resource is: its name, a colon, and comparisons separated by commas. "
        "resource_class = PGPU may be among them; profile = gold stands alone, for what the device profile gold asks "
        "for. Said again for each resource; what is said takes the place of all the defaults. A resource accel.io/NAME "
        "that is not here is what the device profile NAME asks for, and all others are none of our business.",
    ),
]
