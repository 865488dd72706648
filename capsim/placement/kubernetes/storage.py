"""The claims, volumes and classes of a scenario, and what they mean for each unit.

Units that need the same of storage are of one class: a bound claim counts by where its volume is
reached, a claim whose volume is made for the unit alone by its class and size. Only claims whose
binding can change what other units find (shared ones, and those for which volumes stand ready)
go by their names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from capsim.placement.kubernetes import node_volume_limits, volume_restrictions, volume_zone
from capsim.placement.kubernetes.volume_zone import Zones
from capsim.scenario import (
    Claim,
    Disk,
    NodeSelector,
    PersistentVolume,
    Scenario,
    Template,
    Unit,
)

BINDING = "VolumeBinding"
UNBOUND = "pod has unbound immediate PersistentVolumeClaims"
Attached = tuple[str, str]
"""A volume on a node: its CSI driver ("" where it has no limit), and its name there."""


@dataclass(frozen=True)
class Reach:
    """From where a bound volume is reached."""

    affinity: NodeSelector | None = None
    zones: Zones = ()
    exists: bool = True


@dataclass(frozen=True)
class Fresh:
    """A claim whose volume is yet to be made."""

    storage_class: str
    size_bytes: int = 0
    selected_node: str | None = None


@dataclass(frozen=True)
class Needs:
    """What the volumes of a unit ask of the scheduler."""

    rejections: tuple[tuple[str, str], ...] = ()
    """Plugin and reason for which it is refused before any node is looked at."""
    bound: frozenset[Reach] = frozenset()
    fresh: tuple[Fresh, ...] = ()
    """Claims of its own for which no volume stands ready."""
    live: tuple[str, ...] = ()
    """Unbound claims that others look at too, or for which volumes stand ready."""
    own: tuple[tuple[str, int], ...] = ()
    """CSI driver and how many of its volumes only this unit uses."""
    shared: tuple[Attached, ...] = ()
    """Volumes that others use too."""
    lone: tuple[str, ...] = ()
    """Claims that only one unit may use at a time, and several want."""


NOTHING = Needs()


class Storage:
    """What a scenario says of storage, by name.

    Of claims, volumes or classes that a scenario does not state at all nothing is known: units
    are not refused for them.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.claims = {claim.key: claim for claim in scenario.claims}
        self.volumes = {volume.name: volume for volume in scenario.persistent_volumes}
        self.classes = {each.name: each for each in scenario.storage_classes}
        self.capacities = scenario.storage_capacities
        self.tracking = {each.name for each in scenario.csi_drivers if each.storage_capacity}
        self.topology_keys = {
            (node.name, driver.name): driver.topology_keys
            for node in scenario.csi_nodes
            for driver in node.drivers
        }
        self.limits = {
            (node.name, driver.name): driver.count
            for node in scenario.csi_nodes
            for driver in node.drivers
            if driver.count is not None
        }
        self.limited = {driver for _, driver in self.limits}
        """Drivers with a limit on some node."""
        self._knows_claims = any(not claim.planned for claim in scenario.claims)
        defaults = [each.name for each in scenario.storage_classes if each.is_default]
        self._default = min(defaults, default="")
        self._kept_for = {each.claim for each in scenario.persistent_volumes if each.claim}
        self._reach: dict[str, Reach] = {}
        self._ready = {
            each.storage_class_name
            for each in scenario.persistent_volumes
            if each.claim is None and self.is_ready(each)
        }

    def class_of(self, claim: Claim) -> str:
        """The name of a claim's class; a claim that is yet to be made gets the default one."""
        if claim.storage_class_name is None:
            return self._default if claim.planned else ""
        return claim.storage_class_name

    def is_known(self, claim: Claim) -> bool:
        """Whether it is known how a volume for the claim would be made."""
        name = self.class_of(claim)
        return name in self.classes or (not name and bool(self.classes or not claim.planned))

    def is_bound(self, claim: Claim) -> bool:
        """Whether a claim has its volume; one that is yet to be made has the one it names."""
        return claim.bound or (claim.planned and bool(claim.volume_name))

    def waits(self, claim: Claim) -> bool:
        """Whether an unbound claim is bound when its first unit is placed.

        So is one that is yet to be made: its volume is taken to be made where the unit goes. One
        that names its volume is not: it is for the controller to bind.
        """
        if claim.planned or not self.classes:
            return not claim.volume_name
        found = self.classes.get(self.class_of(claim))
        waiting = found is not None and found.volume_binding_mode == "WaitForFirstConsumer"
        return waiting and not claim.volume_name

    def has_ready(self, claim: Claim) -> bool:
        """Whether a volume stands ready that might be bound to the claim."""
        return claim.key in self._kept_for or self.class_of(claim) in self._ready

    def is_ready(self, volume: PersistentVolume) -> bool:
        """Whether a volume stands ready for some claim."""
        if volume.claim is None:
            return volume.available and not volume.terminating
        claim = self.claims.get(volume.claim)
        return claim is not None and not self.is_bound(claim)

    def reach(self, volume: PersistentVolume) -> Reach:
        """From where a volume is reached."""
        if volume.name not in self._reach:
            zones = volume_zone.zones(volume.labels)
            self._reach[volume.name] = Reach(volume.node_affinity, zones)
        return self._reach[volume.name]

    def attached(self, claim: Claim) -> Attached:
        """What a claim attaches to a node."""
        volume = self.volumes.get(claim.volume_name)
        if volume is not None:
            return self.attached_volume(volume)
        found = self.classes.get(self.class_of(claim))
        driver = found.provisioner if found is not None else ""
        driver = node_volume_limits.MIGRATED.get(driver, driver)
        return driver if driver in self.limited else "", f"claim {claim.key}"

    def attached_volume(self, volume: PersistentVolume) -> Attached:
        """What a volume attaches to a node."""
        if volume.driver in self.limited and volume.handle:
            return volume.driver, volume.handle
        return _UNCOUNTED

    def of_unit(self, unit: Unit, template: Template) -> list[Claim]:
        """The claims of a unit that are there."""
        keys = (f"{unit.namespace}/{each.claim_of(unit.name)}" for each in template.volumes)
        return [self.claims[key] for key in dict.fromkeys(keys) if key in self.claims]

    def waiting_claims(self, unit: Unit, template: Template) -> list[Claim]:
        """Those that are bound when the unit is placed."""
        claims = self.of_unit(unit, template) if template.volumes else []
        return [claim for claim in claims if not self.is_bound(claim) and self.waits(claim)]

    def rejections(self, unit: Unit, template: Template) -> Iterator[tuple[str, str]]:
        """Why a unit is rejected outright: plugin and reason, in the order of each plugin."""
        for volume in template.volumes:
            name = volume.claim_of(unit.name)
            claim = self.claims.get(f"{unit.namespace}/{name}")
            if claim is None:
                yield from self._missing(name, volume.is_ephemeral)
                continue
            yield from _ending(claim)
            if not self.is_bound(claim) and not self.waits(claim):
                yield _UNBOUND, UNBOUND
            if not volume.is_ephemeral:
                yield from self._without_zone(claim)

    def _missing(self, name: str, is_ephemeral: bool) -> Iterator[tuple[str, str]]:
        if not self._knows_claims:
            return
        if is_ephemeral:
            yield BINDING, f'{_EPHEMERAL} "{name}"'
            return
        for plugin in (volume_restrictions.NAME, BINDING, volume_zone.NAME):
            yield plugin, volume_restrictions.missing(name)

    def _without_zone(self, claim: Claim) -> Iterator[tuple[str, str]]:
        """What VolumeZone has against a claim, of which it must find volume or class."""
        name = self.class_of(claim)
        if claim.volume_name:
            if self.volumes and claim.volume_name not in self.volumes:
                yield volume_zone.NAME, volume_zone.missing(claim.volume_name)
        elif not self.waits(claim):
            yield volume_zone.NAME, volume_zone.unbound(name, name in self.classes)

    def bound_reach(self, claim: Claim) -> Reach:
        """From where the volume of a bound claim is reached."""
        volume = self.volumes.get(claim.volume_name)
        if volume is not None:
            return self.reach(volume)
        return Reach(exists=not self.volumes)


class NeedsOfUnits:
    """The needs of each unit of a scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self.storage = Storage(scenario)
        self._templates = scenario.templates
        self._users: Counter[str] = Counter()
        ready = (v for v in scenario.persistent_volumes if self.storage.is_ready(v))
        self._attached = Counter(self.storage.attached_volume(volume) for volume in ready)
        for unit in scenario.units:
            template = self._templates[unit.template]
            if template.volumes or template.disks:
                claims = self.storage.of_unit(unit, template)
                self._users.update(claim.key for claim in claims)
                self._attached.update(self._attaches(claims, template))

    def _attaches(self, claims: Iterable[Claim], template: Template) -> list[Attached]:
        """The distinct volumes that a unit attaches, of drivers with a limit on some node."""
        found = [self.storage.attached(claim) for claim in claims]
        found += [_inline(disk) for disk in template.disks if disk.kind in _MIGRATED_DISKS]
        return [each for each in dict.fromkeys(found) if each[0] in self.storage.limited]

    def of(self, unit: Unit) -> Needs:
        """What a unit needs of storage."""
        template = self._templates[unit.template]
        if not template.volumes and not template.disks:
            return NOTHING
        storage = self.storage
        claims = storage.of_unit(unit, template)
        unbound = storage.waiting_claims(unit, template)
        live = [claim for claim in unbound if self._is_live(claim)]
        attached = self._attaches((claim for claim in claims if claim not in live), template)
        own = Counter(driver for driver, name in attached if self._attached[driver, name] == 1)
        bound = (claim for claim in claims if storage.is_bound(claim))
        return Needs(
            rejections=_ordered(storage.rejections(unit, template)),
            bound=frozenset(storage.bound_reach(claim) for claim in bound),
            fresh=tuple(sorted((fresh(storage, c) for c in unbound if c not in live), key=_size)),
            live=tuple(claim.key for claim in live),
            own=tuple(sorted(own.items())),
            shared=tuple(sorted(each for each in attached if self._attached[each] > 1)),
            lone=tuple(
                claim.key
                for claim in claims
                if volume_restrictions.LONE_MODE in claim.access_modes
                and self._users[claim.key] > 1
            ),
        )

    def _is_live(self, claim: Claim) -> bool:
        return self._users[claim.key] > 1 or self.storage.has_ready(claim)


def fresh(storage: Storage, claim: Claim) -> Fresh:
    """A claim for which a volume is to be made."""
    name = storage.class_of(claim) if storage.is_known(claim) else ANY_CLASS
    return Fresh(name, claim.size_bytes, claim.selected_node)


def _size(claim: Fresh) -> int:
    return claim.size_bytes


def _ending(claim: Claim) -> Iterator[tuple[str, str]]:
    """What is wrong with a claim that is lost or about to go."""
    if claim.lost:
        volume = f'bound to non-existent persistentvolume "{claim.volume_name}"'
        yield BINDING, f'persistentvolumeclaim "{claim.name}" {volume}'
    elif claim.terminating:
        yield BINDING, f'persistentvolumeclaim "{claim.name}" is being deleted'


def _ordered(found: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The first objection of each plugin; unbound claims are looked for when all are found."""
    first: dict[str, str] = {}
    for plugin, reason in sorted(found, key=lambda each: each[0] == _UNBOUND):
        first.setdefault(BINDING if plugin == _UNBOUND else plugin, reason)
    return tuple(first.items())


#: Stands for a class of which nothing is known: its volumes are made anywhere.
ANY_CLASS = "\0any"
_EPHEMERAL = "waiting for ephemeral volume controller to create the persistentvolumeclaim"
_UNBOUND = "unbound"
_UNCOUNTED: Attached = ("", "")


_MIGRATED_DISKS = {
    "awsElasticBlockStore": "kubernetes.io/aws-ebs",
    "gcePersistentDisk": "kubernetes.io/gce-pd",
}


def _inline(disk: Disk) -> Attached:
    """A disk that a unit names itself, as the driver that has replaced its plugin sees it."""
    return node_volume_limits.MIGRATED[_MIGRATED_DISKS[disk.kind]], disk.name
