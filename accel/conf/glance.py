"""Option group ``glance``: OpenStack's image service, from which images for programmable devices are fetched.

What else stands in this group is keystoneauth's and known where that is used, in ``accel.conductor.glance``.
"""

from oslo_config import cfg

GROUP = cfg.OptGroup(
    "glance",
    title="Glance",
    help="OpenStack's image service, from which conductors fetch images for programmable devices. Without auth_type or "
    "auth_section none are; the API reads these two as well.",
)

OPTIONS: list[cfg.Opt] = [
    cfg.StrOpt(
        "auth_type",
        help="How a conductor signs in before it speaks to Glance, by the name of keystoneauth's plugin: password asks "
        "Keystone for a token; http_basic and none go straight to endpoint_override. Its user must be allowed to read "
        "the images of all projects; what a project may fetch is decided by the images' owners and visibility.",
    ),
    cfg.StrOpt(
        "auth_section",
        help="The section of this file that has auth_type and what belongs to it, if that is not this one: "
        "keystone_authtoken for the user that the API has.",
    ),
]
