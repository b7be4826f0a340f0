"""What would have become of a workload on a fleet: a trace of tasks is replayed, and one policy compared with another.

Devices are shared here by the thousandth, and tasks take processors and memory beside them, as in the published traces
of clusters. Nodes are rows of arrays: thousands of tasks on thousands of nodes take seconds.
"""
