"""Option group ``placement``: how OpenStack's placement service is told what accelerators there are.

What else stands in this group is keystoneauth's and known where that is used, in ``accel.conductor.openstack``: here it
is only decided whether there is a Placement at all, which needs no foreign library.
"""

from oslo_config import cfg

GROUP = cfg.OptGroup(
    "placement",
    title="OpenStack Placement",
    help="OpenStack's placement service, in which conductors keep a resource provider for each deployable, so that "
    "Nova schedules onto them. Without auth_type or auth_section it is told nothing.",
)

OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        "auth_type",
        help="How a conductor signs in before it speaks to Placement, by the name of keystoneauth's plugin: password "
        "asks Keystone for a token; http_basic and none go straight to endpoint_override. Not set: Placement is told "
        "nothing, unless auth_section says where this is set.",
    ),
    cfg.StrOpt(
        "auth_section",
        help="The section of this file that has auth_type and what belongs to it, if that is not this one: "
        "keystone_authtoken for the user that the API has.",
    ),
    cfg.BoolOpt(
        "owner_trait",
        default=True,
        help="Whether each provider has the trait OWNER_CYBORG beside those of its driver, by which flavors that ask "
        "Nova for a virtual GPU of its own can keep away from ours: trait:OWNER_CYBORG=forbidden.",
    ),
    cfg.IntOpt(
        "longest_pause_seconds",
        default=60,
        min=1,
        max=3600,
        help="Placement is told again what it has not taken, and of nodes that it has no provider for: after a second "
        "at first and then less often, with pauses of this many seconds at most.",
    ),
    cfg.IntOpt(
        "compare_interval_seconds",
        default=86400,
        min=60,
        help="How often, in seconds, what Placement has of a node is compared with the record though nothing has "
        "changed here: somebody may have changed it there. It costs one request for a node, and a few for each of its "
        "providers that has been allocated from or changed since.",
    ),
]
