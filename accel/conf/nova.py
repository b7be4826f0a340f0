"""Option group ``nova``: how OpenStack's compute service is told what its instances wait for.

What else stands in this group is keystoneauth's and known where that is used, in ``accel.conductor.nova``: here it is
only decided whether there is a Nova at all, which needs no foreign library.
"""

from oslo_config import cfg

GROUP = cfg.OptGroup(
    "nova",
    title="Nova",
    help="OpenStack's compute service, which conductors tell what became of the accelerator requests of its instances. "
    "Without auth_type or auth_section it is told nothing; the API reads these two as well: it writes down what is "
    "to be told.",
)

OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        "auth_type",
        help="How a conductor signs in before it speaks to Nova, by the name of keystoneauth's plugin: password asks "
        "Keystone for a token; http_basic and none go straight to endpoint_override. Not set: Nova is told nothing, "
        "unless auth_section says where this is set.",
    ),
    cfg.StrOpt(
        "auth_section",
        help="The section of this file that has auth_type and what belongs to it, if that is not this one: "
        "keystone_authtoken for the user that the API has.",
    ),
    cfg.IntOpt(
        "longest_pause_seconds",
        default=60,
        min=1,
        max=3600,
        help="Nova is told again what it has not taken: after a second at first and then less often, with pauses of "
        "this many seconds at most.",
    ),
    cfg.IntOpt(
        "give_up_after_seconds",
        default=86400,
        min=60,
        help="What Nova has not taken for this long, in seconds, is told no more; it remains as an event. Nova itself "
        "waits for arq_binding_timeout, 300 seconds by default.",
    ),
]
