"""The kubelet side of a node: the device plugin, CDI, what pods have. A client of the node socket."""
