"""Option group ``api``: where the REST API listens, and what it takes."""

from oslo_config import cfg

GROUP = cfg.OptGroup("api", title="REST API", help="Where the REST API listens, and what it takes.")

OPTIONS: list[cfg.Opt] = [
    cfg.HostAddressOpt(
        "host",
        default="127.0.0.1",
        help="The address to listen on. Without authentication (auth_strategy = none) only a loopback address is "
        "accepted.",
    ),
    cfg.PortOpt("port", default=6666, min=1, help="The TCP port to listen on."),
    cfg.IntOpt("workers", default=2, min=1, max=256, help="How many processes answer requests."),
    cfg.IntOpt(
        "threads",
        default=8,
        min=1,
        max=256,
        help="How many requests each process answers at once. Claims that come at the same time share transactions, so "
        "more of them than cores are good where many claim.",
    ),
    cfg.StrOpt(
        "auth_strategy",
        default="none",
        choices=[
            ("keystone", "by a token of OpenStack's identity service, see [keystone_authtoken]"),
            ("http_basic", "by name and password, see [http_basic]; use TLS in front of it"),
            ("none", "whoever reaches the service is an administrator; it listens on loopback only"),
        ],
        help="How the service knows who is asking.",
    ),
    cfg.URIOpt(
        "public_endpoint",
        schemes=["http", "https"],
        help="The URL under which clients reach the service, up to but without /v2: "
        "https://cloud.example.org/accelerator. Links in answers begin with it. Unset, they begin with the scheme, "
        "host and mount point of the request.",
    ),
    cfg.IntOpt(
        "max_request_body_bytes",
        default=1048576,
        min=1024,
        max=1073741824,
        help="The largest request body that is read, in bytes. A larger one is refused with status 413.",
    ),
]
