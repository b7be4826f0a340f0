"""What the daemon on each node does."""

from oslo_config import cfg

GROUP = cfg.OptGroup("agent", title="Agent", help="The daemon on each node: it looks at the hardware and reports.")

OPTIONS: list[cfg.Opt] = [
    cfg.ListOpt(
        "enabled_drivers",
        default=[
            "mdev",
            "nvidia",
            "amd_gpu",
            "intel_gpu",
            "intel_fpga",
            "xilinx_fpga",
            "intel_qat",
            "ascend",
            "accel",
            "nvme",
            "pci",
        ],
        help="The drivers that look for devices, in the order in which they are believed: a card that two of them see "
        "belongs to the first. accel-agent doctor lists those that are installed.",
    ),
    cfg.FloatOpt(
        "driver_timeout_seconds",
        default=30,
        min=0.1,
        max=600,
        help="How long a driver may look, in seconds. One that has not answered by then is ended and reported as "
        "failed; its devices stay in the inventory, of unknown health.",
    ),
    cfg.IntOpt(
        "heartbeat_interval_seconds",
        default=60,
        min=1,
        max=3600,
        help="How often the agent tells the conductor that nothing has changed, in seconds. At most half of "
        "node_offline_after_seconds of the conductor.",
    ),
    cfg.IntOpt(
        "rediscovery_interval_seconds",
        default=300,
        min=1,
        max=86400,
        help="How often all drivers look again although the kernel has told of no change, in seconds.",
    ),
    cfg.ListOpt(
        "disregarded_signals",
        default=["pcie.link"],
        help="The sources of signals of health that are shown and do not make a device unhealthy; accel health lists "
        "them. A link with fewer lanes than both ends have may be one that has lost lanes, or a slot that never had "
        "them.",
    ),
    cfg.StrOpt(
        "host_root",
        default="/",
        help="The directory that stands for / when drivers look at /sys, /proc and /dev. Another one than / is a "
        "mounted host root in a container, or a captured host.",
    ),
    cfg.StrOpt(
        "fleet_file",
        default="",
        help="A fleet file: the agent plays all of its nodes instead of looking at this host. For demonstrations and "
        "tests.",
    ),
    cfg.ListOpt(
        "trusted_image_keys",
        default=[],
        help="The public keys, in base64, of which one must have signed an image before this node loads it, whatever "
        "the control plane says. Empty: those that the control plane names.",
    ),
    cfg.IntOpt(
        "image_cache_mib",
        default=1024,
        min=1,
        max=1048576,
        help="How much of the images that this node has fetched is kept below state_path, in MiB. No larger image can "
        "be loaded here.",
    ),
    cfg.DictOpt(
        "labels",
        default={},
        help="What people know this node by, as key:value pairs: pool:training,owner:vision. Lists of nodes can be "
        "filtered by them.",
    ),
    cfg.StrOpt(
        "rack", default="", max_length=255, help="Where the node stands; nodes with the same text are in the same rack."
    ),
]
