"""NodeVolumeLimits: a node attaches only so many volumes of a CSI driver.

Rule: the volumes of a driver that units on the node use, each counted once, and those that the
newcomer adds may not exceed the count that the node's CSINode states for the driver. A claim that
is yet to be bound counts as a volume of its class's provisioner. Drivers without a count have no
limit. Volumes of in-tree plugins count for the driver to which they have migrated.
Source: Kubernetes 1.34, nodevolumelimits plugin; csi-translation-lib for the drivers.
"""

from __future__ import annotations

NAME = "NodeVolumeLimits"
REASON = "node(s) exceed max volume count"
#: In-tree provisioner to the CSI driver that has replaced it.
MIGRATED = {
    "kubernetes.io/aws-ebs": "ebs.csi.aws.com",
    "kubernetes.io/gce-pd": "pd.csi.storage.gke.io",
    "kubernetes.io/azure-disk": "disk.csi.azure.com",
    "kubernetes.io/cinder": "cinder.csi.openstack.org",
}
#: What a node offers where it states no limit.
UNLIMITED = 2**40
