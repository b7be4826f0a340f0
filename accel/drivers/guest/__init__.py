"""Getting what is handed out ready for a guest, and back: the same for every kind of device on PCI.

``pass_through`` binds PCI functions to vfio-pci, ``groups`` says which go together and ``refusals`` which never go,
``mediated`` makes mediated devices, ``virtual_functions`` makes those of SR-IOV, ``function_reset`` resets.
``acts.PciActs`` is all of it for a driver to inherit.
"""
