"""The kubelet side of a node: the device plugin, CDI, what pods have. A client of the node socket.

``units`` says what of a node can be had alone, ``resources`` under which name and how often, ``preferred`` what suits
best, ``answer`` and ``cdi`` what a container needs for it. ``endpoint`` is one resource as the kubelet sees it,
``registration`` its life beside the kubelet's, ``plugin`` puts them together for a node, ``pods`` follows who has what.
"""
