"""The reference scheduler decides what the real kube-scheduler decided."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.reference import Scheduler, replay
from tests.reference.cycle import Cycle
from tests.reference.generate import FAMILIES, random_case
from tests.reference.objects import Pod
from tests.reference.preemption import Trial

GOLDEN = Path(__file__).parent / "golden" / "scheduler"
#: By number, so that the large ones of family k do not come in a row (for pytest-xdist).
DEV = sorted((GOLDEN / "dev").glob("*.json.gz"), key=lambda path: path.name.split("-")[::-1])
PERF = sorted((GOLDEN / "perf").glob("*.json.gz"))
#: The perf cases have 5,000 nodes: of each only the first decisions are replayed.
FIRST_DECISIONS_OF_PERF = 25

Json = dict[str, Any]


def read(path: Path) -> Json:
    return json.loads(gzip.decompress(path.read_bytes()))


def marked(path: Path) -> Any:
    marks = [pytest.mark.slow] if path.name.startswith("k-") else []
    return pytest.param(path, id=case_name(path), marks=marks)


def case_name(path: Path) -> str:
    return path.name.removesuffix(".json.gz")


def first_difference(got: list[Json], expected: list[Json]) -> tuple[Json, Json] | None:
    pairs = zip(got, expected, strict=True)
    return next(((a, b) for a, b in pairs if a != b), None)


def test_all_recorded_cases_are_here():
    assert (len(DEV), len(PERF)) == (114, 6)


@pytest.mark.parametrize("path", [marked(path) for path in DEV])
def test_a_recorded_case_is_replayed_in_every_field(path):
    case = read(path)
    assert first_difference(replay(case), case["decisions"]) is None


@pytest.mark.slow
@pytest.mark.parametrize("path", PERF, ids=case_name)
def test_a_large_recorded_case_starts_alike(path):
    case = read(path)
    case["pending"] = case["pending"][:FIRST_DECISIONS_OF_PERF]
    expected = case["decisions"][:FIRST_DECISIONS_OF_PERF]
    assert first_difference(replay(case), expected) is None


# Rules that no recorded case exercises ------------------------------------------------------


def node(name: str, labels: Json | None = None, **allocatable: str) -> Json:
    resources = {"cpu": "8", "memory": "16Gi", "pods": "110"} | allocatable
    labels = {"kubernetes.io/hostname": name} | (labels or {})
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": {},
        "status": {"allocatable": resources},
    }


def pod(name: str, labels: Json | None = None, **spec: Any) -> Json:
    containers = [{"name": "c", "image": "app:1", "resources": {"requests": {"cpu": "1"}}}]
    return {
        "metadata": {"name": name, "namespace": "default", "labels": labels or {}},
        "spec": {"containers": containers} | spec,
    }


def spread_by_hostname(selector: Json | None) -> list[Json]:
    return [
        {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "DoNotSchedule",
            "labelSelector": selector,
        }
    ]


def node_affinity(*terms: Json) -> Json:
    required = {"nodeSelectorTerms": list(terms)}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


def named(*names: str) -> Json:
    return {"matchFields": [{"key": "metadata.name", "operator": "In", "values": list(names)}]}


def test_an_affinity_that_names_no_node_is_rejected_before_filtering():
    both = {"matchFields": named("a")["matchFields"] + named("b")["matchFields"]}
    decision = Scheduler({"nodes": [node("a")]}).decide(pod("p", affinity=node_affinity(both)))
    assert decision == {
        "pod": "default/p",
        "feasible": 0,
        "node": None,
        "prefilter": {
            "plugin": "NodeAffinity",
            "reasons": ["pod affinity terms conflict"],
            "code": "UnschedulableAndUnresolvable",
        },
    }


def test_a_pod_that_names_its_node_fits_no_other():
    decision = Scheduler({"nodes": [node("a"), node("b")]}).decide(pod("p", nodeName="b"))
    assert decision["node"] == "b"
    assert decision["filtered"]["a"]["plugin"] == "NodeName"


def test_an_empty_spread_selector_counts_no_pod_but_the_incoming_one():
    scheduler = Scheduler({"nodes": [node("a"), node("b")]})
    scheduler.bind(pod("old"), "a")
    scheduler.bind(pod("older"), "a")
    decision = scheduler.decide(pod("p", topologySpreadConstraints=spread_by_hostname({})))
    assert decision["feasible"] == 2


def test_terminating_pods_do_not_count_for_spread():
    scheduler = Scheduler({"nodes": [node("a"), node("b")]})
    old = pod("old", {"app": "x"})
    old["metadata"]["deletionTimestamp"] = "2026-11-01T10:00:00Z"
    scheduler.bind(old, "a")
    spread = spread_by_hostname({"matchLabels": {"app": "x"}})
    decision = scheduler.decide(pod("p", {"app": "x"}, topologySpreadConstraints=spread))
    assert decision["feasible"] == 2


@pytest.mark.parametrize(
    ("operator", "feasible"), [("NotIn", 1), ("DoesNotExist", 1), ("In", 2), ("Exists", 2)]
)
def test_a_purely_negative_namespace_selector_of_the_pod_means_every_namespace(operator, feasible):
    """The namespaces have the label, so a selector taken at its word would match none or all."""
    values = [] if "Exist" in operator else ["shop"] if operator == "NotIn" else ["bank"]
    key = "team" if operator != "Exists" else "colour"
    term = {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": {},
        "namespaceSelector": {
            "matchExpressions": [{"key": key, "operator": operator, "values": values}]
        },
    }
    space = {"metadata": {"name": "default", "labels": {"team": "shop"}}}
    scheduler = Scheduler({"nodes": [node("a"), node("b")], "namespaces": [space]})
    scheduler.bind(pod("old"), "a")
    anti = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    assert scheduler.decide(pod("p", affinity=anti))["feasible"] == feasible


def test_a_pod_chooses_its_profile_by_scheduler_name():
    packs = {
        "schedulerName": "packer",
        "plugins": {"score": {"disabled": [{"name": "*"}], "enabled": [{"name": "ImageLocality"}]}},
    }
    case = {"nodes": [node("a"), node("b")], "config": {"profiles": [{}, packs]}}
    decision = Scheduler(case).decide(pod("p", schedulerName="packer"))
    assert decision["scores"]["a"] == {"total": 0, "plugins": {"ImageLocality": 0}}


def test_a_plugin_that_a_point_enables_itself_runs_first_and_with_its_own_weight():
    config = {
        "profiles": [
            {
                "plugins": {
                    "filter": {"enabled": [{"name": "NodeResourcesFit"}]},
                    "score": {"enabled": [{"name": "TaintToleration", "weight": 7}]},
                }
            }
        ]
    }
    full = node("full", cpu="100m")
    full["spec"]["unschedulable"] = True
    decision = Scheduler({"nodes": [node("a"), node("b"), full], "config": config}).decide(pod("p"))
    assert decision["filtered"]["full"]["plugin"] == "NodeResourcesFit"
    assert decision["scores"]["a"]["plugins"]["TaintToleration"] == 700


@pytest.mark.parametrize(
    "ignored", [{"ignoredResources": ["a.b/c"]}, {"ignoredResourceGroups": ["a.b"]}]
)
def test_ignored_extended_resources_are_not_asked_for(ignored):
    config = {"profiles": [{"pluginConfig": [{"name": "NodeResourcesFit", "args": ignored}]}]}
    asking = pod("p")
    asking["spec"]["containers"][0]["resources"]["requests"]["a.b/c"] = "1"
    assert Scheduler({"nodes": [node("a")]}).decide(asking)["node"] is None
    assert Scheduler({"nodes": [node("a")], "config": config}).decide(asking)["node"] == "a"


def test_the_default_spread_selector_takes_in_the_owner():
    replicas = {"metadata": {"name": "r"}, "spec": {"selector": {"matchLabels": {"app": "x"}}}}
    scheduler = Scheduler({"nodes": [node("a"), node("b")], "replicasets": [replicas]})
    scheduler.bind(pod("old", {"app": "x"}), "a")
    owned = pod("p", {"app": "x"})
    assert "PodTopologySpread" not in scheduler.decide(owned)["scores"]["a"]["plugins"]
    owner = {"kind": "ReplicaSet", "name": "r", "controller": True}
    owned["metadata"]["ownerReferences"] = [owner]
    scores = scheduler.decide(owned)["scores"]
    assert scores["a"]["plugins"]["PodTopologySpread"] < scores["b"]["plugins"]["PodTopologySpread"]


def test_a_resize_in_place_counts_with_the_larger_request():
    resized = pod("old")
    resized["status"] = {"containerStatuses": [{"name": "c", "allocatedResources": {"cpu": "8"}}]}
    scheduler = Scheduler({"nodes": [node("a")]})
    scheduler.bind(resized, "a")
    assert scheduler.decide(pod("p"))["node"] is None


# The state, and random cases ----------------------------------------------------------------


def test_deciding_changes_nothing_and_evicting_undoes_binding():
    scheduler = Scheduler({"nodes": [node("a"), node("b")]})
    before = scheduler.decide(pod("p"))
    assert scheduler.decide(pod("p")) == before
    scheduler.bind(pod("q"), "a")
    assert scheduler.decide(pod("p")) != before
    scheduler.evict("default/q")
    assert scheduler.decide(pod("p")) == before


def test_a_node_can_come_and_go():
    scheduler = Scheduler({"nodes": [node("a")]})
    scheduler.bind(pod("q"), "a")
    scheduler.add_node(node("b"))
    assert [p["metadata"]["name"] for p in scheduler.remove_node("a")] == ["q"]
    assert scheduler.decide(pod("p"))["node"] == "b"
    assert scheduler.placement() == {}


@pytest.mark.parametrize("seed", range(40))
def test_a_dry_run_sees_the_cluster_as_if_the_pods_were_really_gone(seed):
    """Preemption adjusts the counts of spread and affinity instead of counting anew."""
    rng = random.Random(seed)
    case = random_case(rng, "j")
    scheduler = Scheduler(case)
    for raw in case["pending"]:
        incoming = Pod(raw)
        cycle = Cycle(
            incoming, scheduler.cluster, scheduler.profiles[incoming.profile_name], is_full=True
        )
        for node in scheduler.cluster.nodes.values():
            before = list(node.pods)
            with Trial(node, cycle.plugins) as trial:
                for other in rng.sample(before, len(before) // 2):
                    trial.evict(other)
                assert counts(cycle.plugins) == counts(anew(cycle).plugins)
            assert node.pods == before
            assert counts(cycle.plugins) == counts(anew(cycle).plugins)
        scheduler.schedule(raw)


def anew(cycle: Cycle) -> Cycle:
    return Cycle(cycle.pod, cycle.cluster, cycle.profile, cycle.is_full)


def counts(plugins: Json) -> list[Any]:
    fields = ("hard_counts", "minima", "sought", "shunned", "shunned_by_others")
    return [getattr(p, field) for p in plugins.values() for field in fields if hasattr(p, field)]


@pytest.mark.parametrize("seed", range(40))
def test_after_preemption_the_pod_finds_a_place(seed):
    for decision in replay(random_case(random.Random(seed), "i")):
        preempted = decision.get("preemption", {"eligible": False})
        if preempted["eligible"]:
            assert preempted["best"][0] == preempted["node"]
            assert decision["retry"]["node"] is not None


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_random_cases_of_every_family_can_be_replayed_and_repeat(family):
    for seed in range(5):
        case = random_case(random.Random(seed), family)
        assert json.loads(json.dumps(case)) == case
        decisions = replay(case)
        assert decisions == replay(random_case(random.Random(seed), family))
        assert len(decisions) == len(case["pending"])


def test_random_cases_reach_every_filter_every_score_and_preemption():
    """Otherwise a property test over them would be blind there."""
    failing, scoring, preempting = set(), set(), 0
    for seed in range(300):
        for decision in replay(random_case(random.Random(seed)) | {"detail": "full"}):
            failing |= {f["plugin"] for f in decision.get("filtered", {}).values()}
            failing |= {"prefilter"} & decision.keys()
            for score in decision.get("scores", {}).values():
                scoring |= {plugin for plugin, s in score["plugins"].items() if s > 0}
            preempting += "retry" in decision
    assert failing == {
        "prefilter",
        "PreFilterResult",
        "NodeUnschedulable",
        "NodeName",
        "TaintToleration",
        "NodeAffinity",
        "NodePorts",
        "NodeResourcesFit",
        "VolumeRestrictions",
        "NodeVolumeLimits",
        "VolumeBinding",
        "VolumeZone",
        "PodTopologySpread",
        "InterPodAffinity",
    }
    assert scoring == {
        "TaintToleration",
        "NodeAffinity",
        "NodeResourcesFit",
        "NodeResourcesBalancedAllocation",
        "PodTopologySpread",
        "InterPodAffinity",
        "ImageLocality",
    }
    assert preempting > 20
