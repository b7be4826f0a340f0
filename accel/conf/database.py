"""Where the control plane keeps what it knows."""

from oslo_config import cfg

GROUP = cfg.OptGroup(
    "database",
    title="Database",
    help="The database of conductor and API. Agents have none. SQLite is for one machine; a fleet wants PostgreSQL or "
    "MariaDB.",
)

OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        "connection",
        default="sqlite:///$state_path/accel.sqlite",
        secret=True,
        help="The URL of the database: sqlite:////path/to/file, postgresql+psycopg://user:password@host/name or "
        "mysql+pymysql://user:password@host/name. Run accel-manage db upgrade after changing it.",
    ),
    cfg.IntOpt(
        "pool_size",
        default=8,
        min=1,
        max=1000,
        help="How many connections a process keeps open. The number of threads that work at once is a good value.",
    ),
    cfg.IntOpt(
        "max_overflow",
        default=20,
        min=0,
        max=1000,
        help="How many connections beyond pool_size a process may open while there is much to do.",
    ),
    cfg.IntOpt(
        "connect_timeout_seconds",
        default=5,
        min=1,
        max=300,
        help="How long to wait for the database server to accept a connection, in seconds.",
    ),
    cfg.IntOpt(
        "lock_timeout_seconds",
        default=10,
        min=1,
        max=300,
        help="How long a transaction waits for another one that is in its way, in seconds, before it is given up and "
        "tried again.",
    ),
    cfg.IntOpt(
        "attempts",
        default=5,
        min=1,
        max=100,
        help="How often a transaction is tried, with growing pauses, when the connection breaks or another transaction "
        "is in the way.",
    ),
    cfg.FloatOpt(
        "idle_seconds",
        default=1,
        min=0,
        max=3600,
        help="A connection that has not been used for so long, in seconds, is tried before it is used again: a server "
        "that was restarted, or a firewall that forgot the connection, is not noticed then.",
    ),
]
