"""Option group ``images``: what images for programmable devices may be like, and where they are fetched from."""

from oslo_config import cfg

GROUP = cfg.OptGroup(
    "images",
    title="Images",
    help="What is loaded into programmable devices: what images may be like, and where they are fetched from. The API, "
    "conductors and agents read it.",
)

OPTIONS: list[cfg.Opt] = [
    cfg.IntOpt(
        "max_size_mib",
        default=512,
        min=1,
        max=16384,
        help="The largest image that is taken, in MiB. Images are kept in the database.",
    ),
    cfg.IntOpt(
        "time_limit_seconds",
        default=3600,
        min=1,
        max=86400,
        help="How long the bytes of an image may take to arrive, in seconds, from a client or from where they are "
        "fetched. What has not arrived by then is dropped.",
    ),
    cfg.BoolOpt(
        "signature_required",
        default=True,
        help="Whether only images are loaded that a key of their project has signed. Agents read this too: what is not "
        "signed is loaded by a node only where that says so as well.",
    ),
    cfg.IntOpt(
        "program_limit_seconds",
        default=600,
        min=1,
        max=86400,
        help="How long a node may take to load an image into a device, in seconds, from fetching it to having verified "
        "it. The API waits for as long, where it is asked to.",
    ),
    cfg.ListOpt(
        "url_hosts",
        default=[],
        help="The hosts that images may be fetched from by URL: names, with a port where it is not that of the scheme, "
        "as in images.example.org,mirror.example.org:8080. Empty: none are fetched by URL.",
    ),
    cfg.ListOpt(
        "url_networks",
        default=[],
        help="Networks that are not public and may be fetched from all the same: 10.1.0.0/16,fd00:1::/32. A host of "
        "url_hosts with an address that is neither public nor in one of these is not spoken to.",
    ),
]
