"""VolumeZone: a bound volume with zone or region labels is only reached from such nodes.

Rule: each of these labels of the volume (values joined by "__" are alternatives) must be met by
the node's label of the same key, or by its successor where the node lacks the old one. Nodes
without any zone or region label are not asked. Source: Kubernetes 1.34, volumezone plugin.
"""

from __future__ import annotations

from capsim.scenario import REGION_LABEL, ZONE_LABEL, Labels

NAME = "VolumeZone"
REASON = "node(s) had no available volume zone"
_OLD_ZONE = "failure-domain.beta.kubernetes.io/zone"
_OLD_REGION = "failure-domain.beta.kubernetes.io/region"
_SUCCESSOR = {_OLD_ZONE: ZONE_LABEL, _OLD_REGION: REGION_LABEL}
#: Labels that are looked at, of volumes and of nodes.
LABELS = (_OLD_ZONE, _OLD_REGION, ZONE_LABEL, REGION_LABEL)
Zones = tuple[tuple[str, frozenset[str]], ...]
"""Label key and the values that will do."""


def zones(labels: Labels) -> Zones:
    """What the labels of a volume ask of nodes; a label with an empty alternative is ignored."""
    stated = ((key, labels[key].split("__")) for key in LABELS if key in labels)
    found = ((key, frozenset(value.strip() for value in values)) for key, values in stated)
    return tuple((key, values) for key, values in found if "" not in values)


def is_met(asked: Zones, labels: Labels) -> bool:
    """Whether a node of these labels reaches the volume."""
    if not any(key in labels for key in LABELS):
        return True
    found = (
        (labels.get(key, labels.get(_SUCCESSOR.get(key, key))), values) for key, values in asked
    )
    return all(value in values for value, values in found)


def missing(volume: str) -> str:
    """The reason for which a unit is rejected whose claim is bound to no known volume."""
    return f'persistentvolume "{volume}" not found'


def unbound(storage_class: str, is_known: bool) -> str:
    """The reason for which a unit is rejected whose claim neither is bound nor waits for it."""
    if not storage_class:
        return "PersistentVolumeClaim had no pv name and storageClass name"
    if not is_known:
        return f'storageclass.storage.k8s.io "{storage_class}" not found'
    return "PersistentVolume had no name"
