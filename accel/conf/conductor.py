"""What the conductor concludes, and when."""

from oslo_config import cfg

GROUP = cfg.OptGroup(
    "conductor",
    title="Conductor",
    help="The service that takes the agents' reports. Several may run at once.",
)

OPTIONS: list[cfg.Opt] = [
    cfg.IntOpt(
        "node_offline_after_seconds",
        default=180,
        min=1,
        help="A node whose agent has not been heard for this long is offline, in seconds. Its devices stay as they "
        "are. At least twice the heartbeat interval of the agents. A conductor that has just started waits this long "
        "before it takes silence for a sign.",
    ),
    cfg.IntOpt(
        "lost_device_grace_seconds",
        default=3600,
        min=0,
        help="How long a device that is not reported any more and that nobody holds stays in the inventory as lost, in "
        "seconds, before it is removed. A device that somebody holds stays until it is given back.",
    ),
    cfg.IntOpt(
        "periodic_interval_seconds",
        default=30,
        min=1,
        max=3600,
        help="How often the conductor looks for silent nodes, for lost devices to remove and for work that nobody is "
        "at, in seconds.",
    ),
    cfg.IntOpt(
        "work_limit_seconds",
        default=60,
        min=1,
        max=3600,
        help="How long the work on a node for an accelerator request may take, in seconds, before it counts as failed: "
        "the request is BindFailed then and gives back what it held. Nova waits for as long as its own "
        "arq_binding_timeout says, 300 seconds by default.",
    ),
    cfg.IntOpt(
        "work_threads",
        default=8,
        min=1,
        max=256,
        help="On how many accelerator requests each conductor works at once, where there is work to be done on a node.",
    ),
    cfg.IntOpt(
        "job_threads",
        default=32,
        min=1,
        max=1024,
        help="To how many jobs on devices each conductor attends at once. Most of the time it waits for their nodes.",
    ),
    cfg.IntOpt(
        "job_history_days",
        default=30,
        min=1,
        help="How long jobs that have ended are shown, in days. What they did stays in the history of events.",
    ),
    cfg.ListOpt(
        "prepare",
        default=["MDEV", "NVME_OF", "VHOST_USER"],
        help="What is made ready on its node before it counts as bound, and given back afterwards, by the type of the "
        "attach handle: MDEV; or by that and the type of the device: PCI/NVME. What SPDK serves lets nobody in before. "
        "What Nova hands to a guest as a PCI "
        "function needs none: libvirt does it. The same on every API and conductor.",
    ),
    cfg.DictOpt(
        "scrub",
        default={},
        help="How devices are scrubbed when they come back, before anybody else gets them: by type of device, "
        "GPU:reset,FPGA:blank; or by that and the kind of its part: NVME/card:best. A reset is of whole cards: by a "
        "type alone it leaves parts of them alone. The ways are those of the driver, and reset and blank where it can "
        "do that. What is not named is not scrubbed. The same on every API and "
        "conductor.",
    ),
    cfg.IntOpt(
        "scrub_limit_seconds",
        default=14400,
        min=1,
        help="How long scrubbing or giving back a handle may take on its node, in seconds. Erasing a large drive by "
        "writing to all of it takes hours.",
    ),
]
