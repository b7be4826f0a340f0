"""How agents and conductors talk."""

from oslo_config import cfg

GROUP = cfg.OptGroup(
    "rpc",
    title="Messages between agents and conductors",
    help="How agents and conductors talk. The broker itself is set by transport_url of the group DEFAULT and by the "
    "group oslo_messaging_rabbit.",
)

OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        "topic",
        default="accel-conductor",
        regex=r"^[A-Za-z0-9._-]{1,200}$",
        help="The name of the queue that agents send to and conductors read. Change it on all of them where several "
        "installations share one virtual host of a broker.",
    ),
    cfg.StrOpt(
        "agent_topic",
        default="accel-agent",
        regex=r"^[A-Za-z0-9._-]{1,200}$",
        help="The name of the topic by which conductors order jobs on nodes. Change it on all agents and conductors "
        "where several installations share one virtual host of a broker.",
    ),
    cfg.IntOpt(
        "call_timeout_seconds",
        default=30,
        min=1,
        max=600,
        help="How long an agent waits for the conductor's answer, in seconds, before it keeps its report and tries "
        "again later; and a conductor for an agent's.",
    ),
    cfg.IntOpt(
        "conductor_threads",
        default=4,
        min=1,
        max=256,
        help="How many messages each conductor takes at once. Each needs a database connection.",
    ),
    cfg.IntOpt(
        "agent_threads",
        default=16,
        min=1,
        max=256,
        help="How many messages each agent takes at once: on a node with more devices that are worked on at the same "
        "time, conductors wait for one another.",
    ),
]
