"""How the agent gets to do what takes privilege."""

from oslo_config import cfg

GROUP = cfg.OptGroup(
    "privileged",
    title="Privileged acts",
    help="How an agent does what takes privilege: making virtual functions, binding to vfio-pci, running the tools of "
    "vendors. Looking at hardware takes none.",
)

OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        "helper_command",
        default="",
        help="What starts a privileged context where the agent itself has not the capabilities that it takes, such as "
        "sudo -n /usr/bin/privsep-helper; the context's name and a socket are added to it. Empty: nothing does, and "
        "what needs more than the agent may do is refused. accel-agent doctor tries each context.",
    ),
]
