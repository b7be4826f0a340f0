"""What tests ask of a deployable."""

from accel.model.device import Deployable, HandleType


def facts(part: Deployable) -> dict[str, str]:
    """Its attributes."""
    return {attribute.key: attribute.value for attribute in part.attributes}


def trait_names(part: Deployable) -> set[str]:
    """Its traits."""
    return {attribute.value for attribute in part.attributes if attribute.key.startswith("trait")}


def handed_out(part: Deployable) -> list[str]:
    """Its handles: addresses of PCI functions, paths below ``/dev``, marks of mediated devices."""
    names = {HandleType.PCI: "{domain}:{bus}:{device}.{function}", HandleType.MDEV: "{vgpu_mark}"}
    return [names.get(handle.type, "{path}").format(**handle.info) for handle in part.handles]
