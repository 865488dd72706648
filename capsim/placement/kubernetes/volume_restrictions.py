"""VolumeRestrictions: some disks and claims cannot be used by two units.

Rule: a disk that units name themselves (GCE PD, EBS, iSCSI, RBD) is refused on a node where
another unit holds it, unless both only read (EBS never). A claim with the access mode
ReadWriteOncePod is refused everywhere while another unit uses it. Evicting that unit helps.
Source: Kubernetes 1.34, volumerestrictions plugin.
"""

from __future__ import annotations

from collections.abc import Sequence

from capsim.scenario import Disk, Template

NAME = "VolumeRestrictions"
REASON_DISK = "node(s) had no available disk"
REASON_LONE = (
    "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
)
LONE_MODE = "ReadWriteOncePod"


def missing(name: str) -> str:
    """The reason for which a unit is rejected whose claim is not there."""
    return f'persistentvolumeclaim "{name}" not found'


def conflicts(mine: Disk, other: Disk) -> bool:
    """Whether two units with these disks cannot be on one node."""
    if (mine.kind, mine.name) != (other.kind, other.name):
        return False
    if mine.kind == "rbd" and not set(mine.monitors) & set(other.monitors):
        return False
    both_read = mine.read_only and other.read_only
    return mine.kind == "awsElasticBlockStore" or not both_read


def conflict_table(
    templates: Sequence[Template],
) -> tuple[list[list[int]], list[list[int]], int]:
    """For each template the numbers of the disks that it holds and that it conflicts with."""
    known = list(dict.fromkeys(disk for template in templates for disk in template.disks))
    number = {disk: index for index, disk in enumerate(known)}
    own = [[number[disk] for disk in dict.fromkeys(each.disks)] for each in templates]
    against = [
        [number[other] for other in known if any(conflicts(disk, other) for disk in each.disks)]
        for each in templates
    ]
    return own, against, len(known)
