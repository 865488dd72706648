"""Claims, volumes, storage classes and CSI objects, from dumps and from manifests."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

import capsim as cs
from capsim.scenario import Disk

Json = dict[str, Any]
STORED = {"uid": "u"}
SIZE = {"requests": {"storage": "5Gi"}}


def thing(kind: str, name: str, spec: Json | None = None, **more: Any) -> Json:
    group = "v1" if kind.startswith("Persistent") else "storage.k8s.io/v1"
    metadata = {"name": name, **more.pop("metadata", {})}
    stated = {} if spec is None else {"spec": spec}
    return {"apiVersion": group, "kind": kind, "metadata": metadata, **stated, **more}


@pytest.fixture
def stored(reads: Any, kube: Any) -> Any:
    """Reads objects beside a node."""
    return lambda objects: reads([kube.node(), *objects])


def claim(name: str = "data", *, metadata: Json = STORED, **spec: Any) -> Json:
    metadata = {"namespace": "shop", **metadata}
    return thing("PersistentVolumeClaim", name, {"resources": SIZE, **spec}, metadata=metadata)


def stateful(replicas: int, *templates: Json) -> Json:
    spec = {"containers": [{"name": "main"}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": "shop"},
        "spec": {
            "replicas": replicas,
            "template": {"spec": spec},
            "volumeClaimTemplates": list(templates),
        },
    }


DATA = {"metadata": {"name": "data"}, "spec": {"storageClassName": "fast", "resources": SIZE}}


def test_a_claim_is_read_with_what_it_asks_for(stored: Any) -> None:
    asked = claim(
        storageClassName="fast", accessModes=["ReadWriteOncePod"], volumeMode="Block",
        selector={"matchLabels": {"tier": "gold"}}, volumeAttributesClassName="quick",
    )  # fmt: skip
    (found,) = stored([asked]).claims
    assert (found.key, found.storage_class_name, found.size_bytes) == (
        "shop/data",
        "fast",
        5 * 2**30,
    )
    assert (found.access_modes, found.volume_mode) == (("ReadWriteOncePod",), "Block")
    assert found.selector is not None
    assert found.selector.match_labels == {"tier": "gold"}
    assert found.volume_attributes_class_name == "quick"
    assert not found.bound


@pytest.mark.parametrize(
    ("metadata", "status", "is_bound"),
    [
        ({"annotations": {"pv.kubernetes.io/bind-completed": "yes"}}, {}, True),
        ({}, {"phase": "Bound"}, True),
        ({}, {"phase": "Pending"}, False),
    ],
)
def test_a_claim_is_bound_when_its_binding_is_complete(stored, metadata, status, is_bound) -> None:
    raw = claim(volumeName="v", metadata=STORED | metadata) | {"status": status}
    assert stored([raw]).claims[0].bound is is_bound


def test_a_claim_may_be_lost_terminating_or_have_its_node_selected(stored: Any) -> None:
    note = {"volume.kubernetes.io/selected-node": "n1"}
    metadata = STORED | {"deletionTimestamp": "2025-01-01T00:00:00Z", "annotations": note}
    (found,) = stored([claim(metadata=metadata) | {"status": {"phase": "Lost"}}]).claims
    assert (found.lost, found.terminating, found.selected_node) == (True, True, "n1")


def test_only_a_claim_that_no_server_has_stored_is_planned(stored: Any) -> None:
    assert not stored([claim()]).claims[0].planned
    assert stored([claim(metadata={})]).claims[0].planned


def test_a_volume_is_read_with_where_it_is_and_for_whom_it_is_kept(stored: Any) -> None:
    term = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}
    spec = {
        "capacity": {"storage": "10Gi"},
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "fast",
        "claimRef": {"namespace": "shop", "name": "data", "uid": "u"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
        "csi": {"driver": "csi.x", "volumeHandle": "h"},
    }
    raw = thing("PersistentVolume", "v", spec, metadata={"labels": {"a": "b"}})
    (found,) = stored([raw | {"status": {"phase": "Bound"}}]).persistent_volumes
    assert (found.claim, found.claim_uid, found.available) == ("shop/data", "u", False)
    assert (found.driver, found.handle, found.labels) == ("csi.x", "h", {"a": "b"})
    assert found.node_affinity is not None
    assert found.node_affinity.matches({"zone": "a"}, "")


@pytest.mark.parametrize(
    ("source", "driver", "handle"),
    [
        ({"awsElasticBlockStore": {"volumeID": "aws://a/vol-1"}}, "ebs.csi.aws.com", "vol-1"),
        ({"gcePersistentDisk": {"pdName": "d"}}, "pd.csi.storage.gke.io", "d"),
        ({"azureDisk": {"diskName": "d", "diskURI": "u"}}, "disk.csi.azure.com", "d"),
        ({"cinder": {"volumeID": "d"}}, "cinder.csi.openstack.org", "d"),
        ({"nfs": {"server": "s", "path": "/"}}, "", ""),
    ],
)
def test_disks_of_old_plugins_are_those_of_the_drivers_that_replaced_them(
    stored, source, driver, handle
) -> None:
    (found,) = stored([thing("PersistentVolume", "v", source)]).persistent_volumes
    assert (found.driver, found.handle, found.available) == (driver, handle, True)


def test_a_storage_class_is_read_with_its_topologies(stored: Any) -> None:
    raw = thing(
        "StorageClass", "fast", None, provisioner="csi.x", parameters={"type": "gp3"},
        volumeBindingMode="WaitForFirstConsumer",
        allowedTopologies=[{"matchLabelExpressions": [{"key": "zone", "values": ["a"]}]}],
        metadata={"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
    )  # fmt: skip
    (found,) = stored([raw]).storage_classes
    assert (found.provisioner, found.is_default) == ("csi.x", True)
    assert found.volume_binding_mode == "WaitForFirstConsumer"
    assert found.allowed_topologies[0].match_label_expressions[0].values == ("a",)


def test_drivers_and_room_are_read(stored: Any) -> None:
    driver = {"name": "csi.x", "nodeID": "n", "allocatable": {"count": 25}, "topologyKeys": ["z"]}
    scenario = stored(
        [
            thing("CSINode", "n1", {"drivers": [driver, {"name": "csi.y", "nodeID": "n"}]}),
            thing("CSIDriver", "csi.x", {"storageCapacity": True}),
            thing("CSIStorageCapacity", "room", None, storageClassName="fast", capacity="5Gi",
                  nodeTopology={"matchLabels": {"z": "a"}}),
        ]
    )  # fmt: skip
    x, y = scenario.csi_nodes[0].drivers
    assert (x.count, x.topology_keys, y.count) == (25, ("z",), None)
    assert scenario.csi_drivers[0].storage_capacity
    assert scenario.storage_capacities[0].most_bytes == 5 * 2**30


def test_units_that_are_added_come_with_their_claims(reads: Any) -> None:
    scenario = reads([stateful(2, DATA)])
    assert [each.key for each in scenario.claims] == ["shop/data-db-0", "shop/data-db-1"]
    assert {each.storage_class_name for each in scenario.claims} == {"fast"}
    assert all(each.planned for each in scenario.claims)
    assert any("fast" in remark for remark in scenario.remarks)
    assert not any("yet to be made" in each.name for each in scenario.assumptions)


def test_that_immediate_volumes_are_made_where_units_go_is_among_the_assumptions(
    reads: Any,
) -> None:
    scenario = reads([stateful(1, DATA), thing("StorageClass", "fast", None, provisioner="x")])
    assert any("yet to be made" in each.name for each in scenario.assumptions)


def test_a_claim_that_a_stateful_set_left_behind_is_used_again(reads: Any) -> None:
    kept = claim("data-db-1", volumeName="v") | {"status": {"phase": "Bound"}}
    scenario = reads([stateful(2, DATA), kept])
    assert {each.key: each.planned for each in scenario.claims} == {
        "shop/data-db-1": False,
        "shop/data-db-0": True,
    }


def test_ephemeral_volumes_of_planned_pods_have_claims(reads: Any, kube: Any) -> None:
    volume = {"name": "scratch", "ephemeral": {"volumeClaimTemplate": {"spec": DATA["spec"]}}}
    scenario = reads([kube.pod("web", volumes=[volume])])
    assert [each.key for each in scenario.claims] == ["shop/web-scratch"]
    assert not reads([kube.node(), kube.live_pod("web", None, volumes=[volume])]).claims


def test_a_claim_that_all_units_share_keeps_its_name(reads: Any, kube: Any) -> None:
    deployment = kube.deployment("web", 2)
    volume = {"name": "v", "persistentVolumeClaim": {"claimName": "data-web"}}
    deployment["spec"]["template"]["spec"]["volumes"] = [volume]
    scenario = reads([deployment])
    (template,) = scenario.templates.values()
    assert template.volumes[0].claim == "data-web"


def test_without_any_claim_in_the_input_a_remark_says_that_claims_do_not_matter(
    reads: Any, kube: Any
) -> None:
    volume = {"name": "v", "persistentVolumeClaim": {"claimName": "data"}}
    scenario = reads([kube.node(), kube.live_pod("web", None, volumes=[volume])])
    assert any("holds none" in remark for remark in scenario.remarks)
    assert cs.place(scenario).summary()["placed_units"] == 1


def test_disks_and_resource_claims_are_read(reads: Any, kube: Any) -> None:
    volumes = [
        {"name": "a", "gcePersistentDisk": {"pdName": "d", "readOnly": True}},
        {"name": "b", "rbd": {"monitors": ["m"], "image": "i"}},
    ]
    claims = [{"name": "gpu", "resourceClaimTemplateName": "t"}]
    scenario = reads([kube.node(), kube.pod("web", volumes=volumes, resourceClaims=claims)])
    (template,) = scenario.templates.values()
    assert template.disks == (
        Disk(kind="gcePersistentDisk", name="d", read_only=True),
        Disk(kind="rbd", name="rbd/i", monitors=("m",)),
    )
    assert template.resource_claims == ("gpu",)
    left_out = cs.place(scenario).assumptions
    assert any("resource claims (1 waiting units" in each.value for each in left_out)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (
            claim(resources={"requests": {"storage": "lots"}}),
            "PersistentVolumeClaim shop/data: spec.resources.requests: found 'lots' of storage",
        ),
        (claim(accessModes=["Any"]), "found 'Any', expected one of ReadWriteOnce"),
        (
            thing("PersistentVolume", "v", {"capacity": {"storage": "-5Gi"}}),
            "PersistentVolume v: spec.capacity: found '-5Gi' of storage",
        ),
        (thing("StorageClass", "fast"), "StorageClass fast: provisioner: found nothing"),
        (
            thing("StorageClass", "fast", None, provisioner="x", volumeBindingMode="Later"),
            "found 'Later', expected one of Immediate",
        ),
        (
            thing("CSINode", "n", {"drivers": [{"name": "x", "allocatable": {"count": -1}}]}),
            "CSINode n: spec.drivers[x].allocatable.count: found -1",
        ),
        (
            thing("CSIStorageCapacity", "r", None, storageClassName="f", capacity="much"),
            "found 'much' of storage",
        ),
    ],
)
def test_nonsense_is_named_with_object_and_field(refuses, raw, words) -> None:
    assert words in refuses([raw])


def test_a_claim_that_is_stated_twice_and_differently_is_refused(refuses: Any) -> None:
    assert "twice, and differently" in refuses([claim(), claim(storageClassName="fast")])


def test_volumes_and_claims_that_point_at_each_other_in_a_circle_are_read(stored: Any) -> None:
    volumes = [
        thing("PersistentVolume", a, {"claimRef": {"namespace": "shop", "name": b}})
        for a, b in (("v", "w"), ("w", "v"))
    ]
    claims = [claim(a, volumeName=b) for a, b in (("v", "w"), ("w", "v"))]
    assert len(stored([*volumes, *claims]).claims) == 2


def test_storage_goes_round_through_yaml(reads: Any) -> None:
    scenario = reads([stateful(2, DATA), claim(), thing("PersistentVolume", "v", {})])
    assert cs.Scenario.from_content(yaml.safe_load(scenario.to_yaml())) == scenario
