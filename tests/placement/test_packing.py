"""Packers: against a plain twin, never overfull, between the lower bound and one machine each."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim.errors import ModelError
from capsim.placement import _kernels
from capsim.placement.packing import ALGORITHMS, MachineShare, compare_packers, pack, sizes
from capsim.placement.whatif import grow
from capsim.scenario import Container, GpuShare, Node, Scenario, Template, Unit
from capsim.topology import compile_scenario

MIB = 2**20


def template(cpu: int, memory: int = 0, gpu: tuple[int, int] | None = None) -> Template:
    asked = {name: amount for name, amount in (("cpu", cpu), ("memory", memory)) if amount}
    return Template(
        containers=(
            Container(requests={k: f"{v}m" if k == "cpu" else v for k, v in asked.items()}),
        ),
        gpu_share=GpuShare(devices=gpu[0], milli=gpu[1]) if gpu else None,
    )


def machine(
    cpu: int = 1000, memory: int = 1000, boards: int = 0, pods: int = 110, name="m"
) -> Node:
    amounts = {"cpu": f"{cpu}m", "memory": memory, "pods": pods}
    return Node(name=name, allocatable=amounts, gpu_devices=boards)


def scenario(templates: list[Template], of: list[int], extra: tuple[Node, ...] = ()) -> Scenario:
    return Scenario(
        nodes=(machine(boards=1, name="any"), *extra),
        templates={f"t{i}": each for i, each in enumerate(templates)},
        units=tuple(Unit(name=f"u{i}", template=f"t{t}") for i, t in enumerate(of)),
    )


# --- the kernels against plain twins ---


class SlowBin:
    """One machine: what is free of it."""

    def __init__(self, shape: int, capacity: np.ndarray, boards: int) -> None:
        self.shape, self.free, self.boards = shape, list(capacity), [1000] * boards

    def takes(self, need: list[int], devices: int) -> bool:
        *amounts, milli = need
        enough = all(a <= f for a, f in zip(amounts, self.free, strict=True))
        return enough and (devices == 0 or sum(b >= milli for b in self.boards) >= devices)

    def put(self, need: list[int], devices: int) -> None:
        *amounts, milli = need
        self.free = [f - a for a, f in zip(amounts, self.free, strict=True)]
        fitting = sorted((b, i) for i, b in enumerate(self.boards) if b >= milli)
        for _, board in fitting[:devices]:
            self.boards[board] -= milli

    def left(self, weight: np.ndarray) -> float:
        total = 0.0
        for w, f in zip(weight, [*self.free, max([0, *self.boards])], strict=True):
            total += w * f
        return total


def furthest_behind(holds, share, bins: list[SlowBin]) -> int:
    counts = Counter(b.shape for b in bins)
    behind = [share[s] * (len(bins) + 1) - counts[s] for s in range(len(share))]
    return max((s for s in range(len(share)) if holds[s]), key=lambda s: (behind[s], -s))


def slow_in_order(order, need, devices, capacity, boards_of, holds, share, weight, rule):
    bins: list[SlowBin] = []
    out = []
    for c in order:
        fits = [i for i, b in enumerate(bins) if b.takes(list(need[c]), devices[c])]
        if rule == _kernels.NEXT:
            fits = [i for i in fits if i == len(bins) - 1]
        cost = {
            _kernels.BEST: lambda i: (bins[i].left(weight), i),
            _kernels.WORST: lambda i: (-bins[i].left(weight), i),
        }.get(rule, lambda i: i)
        if fits:
            chosen = min(fits, key=cost)
        else:
            s = furthest_behind(holds[c], share, bins)
            bins.append(SlowBin(s, capacity[s], boards_of[s]))
            chosen = len(bins) - 1
        bins[chosen].put(list(need[c]), devices[c])
        out.append(chosen)
    return out, [b.shape for b in bins]


def slow_dot_product(count, need, devices, capacity, boards_of, holds, share, weight):
    left, bins, out = list(count), [], [[] for _ in count]
    while any(left):
        wanted = [any(n and holds[c][s] for c, n in enumerate(left)) for s in range(len(share))]
        s = furthest_behind(wanted, share, bins)
        bins.append(SlowBin(s, capacity[s], boards_of[s]))
        now = bins[-1]
        while True:
            best, best_value = -1, -1.0
            for c, n in enumerate(left):
                if n and now.takes(list(need[c]), devices[c]):
                    free = [*now.free, max([0, *now.boards])]
                    value = 0.0
                    for w, a, f in zip(weight, need[c], free, strict=True):
                        value += w * a * f
                    if value > best_value:
                        best, best_value = c, value
            if best < 0:
                break
            now.put(list(need[best]), devices[best])
            left[best] -= 1
            out[best].append(len(bins) - 1)
    return [b for each in out for b in each], [b.shape for b in bins]


@st.composite
def tasks(draw):
    """Classes and shapes as the kernels take them; every class fits the last shape."""
    classes, shapes = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    amount = st.integers(0, 40)
    need = np.array([[draw(amount), draw(amount), 1] for _ in range(classes)], np.int64)
    devices = np.array(draw(st.lists(st.integers(0, 3), min_size=classes, max_size=classes)))
    milli = np.array([draw(st.sampled_from([100, 300, 500, 700, 1000])) for _ in range(classes)])
    milli = np.where(devices > 0, milli, 0)
    capacity = np.array(
        [[draw(st.integers(5, 60)), draw(st.integers(5, 60)), 7] for _ in range(shapes)]
    )
    capacity[-1] = (60, 60, 9)
    boards_of = np.array([draw(st.integers(0, 4)) for _ in range(shapes)], np.int64)
    boards_of[-1] = 4
    holds = (need[:, None] <= capacity).all(axis=2) & (devices[:, None] <= boards_of)
    share = np.array([draw(st.integers(1, 4)) for _ in range(shapes)], float)
    weight = np.array([draw(st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0])) for _ in range(4)])
    return {
        "need": np.column_stack([need, milli]).astype(np.int64),
        "devices": devices.astype(np.int64),
        "capacity": capacity.astype(np.int64),
        "boards_of": boards_of,
        "holds": holds,
        "share": share / share.sum(),
        "weight": weight,
    }


def ordered(task: dict) -> list:
    names = ("need", "devices", "capacity", "boards_of", "holds", "share", "weight")
    return [task[name] for name in names]


@settings(max_examples=300, deadline=None)
@given(tasks(), st.data(), st.sampled_from(range(4)))
def test_packing_in_order_equals_its_plain_twin(task, data, rule):
    order = data.draw(st.lists(st.integers(0, len(task["need"]) - 1), min_size=1, max_size=90))
    classes = np.array(order)
    start = np.flatnonzero(np.diff(classes, prepend=-1))
    length = np.diff(start, append=len(classes)).astype(np.int64)
    out = np.empty(len(order), np.int32)
    shapes = _kernels.pack_in_order(classes[start], length, *ordered(task), rule, out)
    assert (out.tolist(), shapes.tolist()) == slow_in_order(order, *ordered(task), rule)


@settings(max_examples=200, deadline=None)
@given(tasks(), st.data())
def test_packing_by_dot_product_equals_its_plain_twin(task, data):
    classes = len(task["need"])
    count = data.draw(st.lists(st.integers(0, 9), min_size=classes, max_size=classes))
    out = np.empty(sum(count), np.int32)
    shapes = _kernels.pack_by_dot_product(np.array(count), *ordered(task), out)
    assert (out.tolist(), shapes.tolist()) == slow_dot_product(count, *ordered(task))


def test_dot_product_looks_past_blocks_of_classes_that_cannot_win():
    rng = np.random.default_rng(0)
    need = np.column_stack(
        [rng.integers(1, 60, (200, 2)), np.ones((200, 1), int), np.zeros((200, 1), int)]
    )
    rest = {
        "need": need.astype(np.int64),
        "devices": np.zeros(200, np.int64),
        "capacity": np.array([[60, 60, 9]]),
        "boards_of": np.zeros(1, np.int64),
        "holds": np.ones((200, 1), bool),
        "share": np.ones(1),
        "weight": np.array([1.0, 0.5, 0.1, 0.0]),
    }
    count = rng.integers(0, 4, 200)
    out = np.empty(count.sum(), np.int32)
    shapes = _kernels.pack_by_dot_product(count, *ordered(rest), out)
    assert (out.tolist(), shapes.tolist()) == slow_dot_product(count.tolist(), *ordered(rest))


def test_a_tree_that_grows_keeps_its_bins():
    need = np.array([[6, 0], [4, 0]])
    order = [0] * 300 + [1] * 300
    out = np.empty(600, np.int32)
    args = (need, np.zeros(2, np.int64), np.array([[10]]), np.zeros(1, np.int64))
    rest = (np.ones((2, 1), bool), np.ones(1), np.array([1.0, 0.0]))
    shapes = _kernels.pack_in_order(
        np.array([0, 1]), np.array([300, 300]), *args, *rest, _kernels.FIRST, out
    )
    assert len(shapes) == 300
    assert out.tolist() == [*range(300), *range(300)]
    assert len(order) == len(out)


def test_a_unit_never_takes_the_same_board_twice():
    boards = np.array([[700, 1000, -1]])
    _kernels.take_boards(0, 2, 300, boards)
    assert boards.tolist() == [[400, 700, -1]]


@given(
    st.lists(st.integers(-1, 1000), min_size=1, max_size=6), st.integers(1, 3), st.integers(1, 1000)
)
def test_boards_are_taken_tightest_first(free, devices, milli):
    fitting = sorted((f, i) for i, f in enumerate(free) if f >= milli)
    boards = np.array([free], np.int64)
    assert _kernels.boards_fit(0, devices, milli, boards) == (len(fitting) >= devices)
    if len(fitting) >= devices:
        _kernels.take_boards(0, devices, milli, boards)
        taken = {i for _, i in fitting[:devices]}
        assert boards[0].tolist() == [f - milli * (i in taken) for i, f in enumerate(free)]


# --- what people call ---


@st.composite
def clusters(draw):
    gpu = st.one_of(st.none(), st.tuples(st.integers(1, 2), st.sampled_from([250, 500, 1000])))
    amount = st.integers(1, 1000)
    templates = [
        template(draw(amount), draw(amount), draw(gpu)) for _ in range(draw(st.integers(1, 4)))
    ]
    of = draw(st.lists(st.integers(0, len(templates) - 1), min_size=1, max_size=25))
    return scenario(templates, of)


@settings(max_examples=60, deadline=None)
@given(clusters(), st.sampled_from(list(ALGORITHMS)))
def test_no_machine_is_overfull_and_no_unit_is_lost(cluster, algorithm):
    packing = pack(cluster, machine(boards=2, pods=6), algorithm=algorithm)
    assert (packing.used <= packing.capacity[packing.shape_of]).all()
    assert (packing.used[:, packing.topology.column("pods")] > 0).all()
    assert packing.used.sum(axis=0)[packing.topology.column("pods")] == len(cluster.units)
    assert packing.lower_bound <= packing.count <= len(cluster.units)
    assert sorted(set(packing.bin_of.tolist())) == list(range(packing.count))


@settings(max_examples=40, deadline=None)
@given(clusters(), st.randoms(use_true_random=False))
def test_renaming_and_reordering_units_changes_nothing_for_a_decreasing_packer(cluster, random):
    units = list(cluster.units)
    random.shuffle(units)
    names = list(cluster.templates.items())
    random.shuffle(names)
    other = cluster.replace(units=tuple(units), templates=dict(names))
    for algorithm in ("first-fit-decreasing", "dot-product"):
        mine = pack(cluster, machine(boards=2), algorithm=algorithm)
        theirs = pack(other, machine(boards=2), algorithm=algorithm)
        assert mine.count == theirs.count
        assert (
            mine.used == theirs.used[:, [*map(theirs.topology.column, mine.topology.resources)]]
        ).all()


def test_first_fit_decreasing_finds_the_textbook_answer():
    sizes = [700, 500, 500, 300, 200, 400, 400]
    cluster = scenario([template(size, 1) for size in sizes], list(range(7)))
    packing = pack(cluster, machine())
    assert (packing.count, packing.lower_bound, packing.gap) == (3, 3, 0)
    assert packing.bin_of.tolist() == [0, 1, 1, 0, 2, 2, 2]


def test_a_unit_without_requests_counts_the_stated_default():
    cluster = scenario([Template()], [0] * 20)
    packing = pack(cluster, machine(cpu=1000, memory=4096 * MIB))
    assert packing.count == 2
    assert any("20 units count 100m CPU or 200Mi memory" in str(a) for a in packing.assumptions)


def test_pod_slots_limit_a_machine():
    assert pack(scenario([template(1, 1)], [0] * 10), machine(pods=3)).count == 4


def test_gpu_fragments_of_a_board_are_not_added_up():
    cluster = scenario([template(1, 1, (1, 600))], [0] * 6)
    packing = pack(cluster, machine(boards=2))
    assert packing.count == 3
    assert packing.bound.binding == "L2 of single GPU boards"


def test_a_unit_on_several_boards_needs_distinct_ones():
    assert pack(scenario([template(1, 1, (2, 300))], [0] * 3), machine(boards=2)).count == 1
    assert pack(scenario([template(1, 1, (2, 300))], [0] * 4), machine(boards=2)).count == 2


def test_a_mix_opens_machines_in_its_proportion():
    cluster = scenario([template(1000, 1)], [0] * 40)
    mix = [MachineShare(machine(name="a"), 3), MachineShare(machine(memory=2000, name="b"), 1)]
    packing = pack(cluster, mix)
    assert list(packing.machines.values()) == [30, 10]


def test_a_unit_that_only_one_shape_holds_opens_that_one():
    cluster = scenario([template(1500, 1), template(500, 1)], [0] * 3 + [1] * 2)
    mix = [
        MachineShare(machine(1000, name="small"), 9),
        MachineShare(machine(1500, name="large"), 1),
    ]
    packing = pack(cluster, mix)
    assert sum(packing.machines.values()) == 4
    assert packing.machines["1.5 cores, 9.313e-07 GiB"] == 3


def test_a_unit_that_fits_nowhere_is_named_with_the_reason():
    cluster = scenario([template(5000, 1), template(1, 1, (3, 1000)), template(1, 1)], [0, 0, 1, 2])
    packing = pack(cluster, machine(boards=2))
    told = packing.unplaceable.set_index("template")
    assert told.loc["t0", "reason"] == (
        "needs 5 cores of cpu, 1 cores, 9.313e-07 GiB, 2 GPUs offers 1 core"
    )
    assert told.loc["t1", "reason"].startswith("needs 3 GPU boards, ")
    assert told["units"].tolist() == [2, 1]
    assert packing.bin_of.tolist() == [-1, -1, -1, 0]
    assert packing.summary()["unplaceable_units"] == 3


def test_a_machine_without_pod_slots_holds_nothing():
    node = Node(name="bare", allocatable={"cpu": "4", "memory": "4Gi"})
    packing = pack(scenario([template(1, 1)], [0]), node)
    assert packing.count == 0
    assert "needs 1 of pods" in packing.unplaceable["reason"].iloc[0]


def test_nothing_to_pack_needs_no_machine():
    packing = pack(scenario([template(1, 1)], []), machine())
    assert (packing.count, packing.lower_bound, packing.gap) == (0, 0, 0)
    assert packing.table.empty
    assert packing.summary()["machines"] == 0


def test_units_can_be_chosen_and_repeated():
    cluster = compile_scenario(scenario([template(1000, 1)], [0] * 4))
    assert pack(cluster, machine(), units=np.array([0, 1])).count == 2
    assert pack(cluster, machine(), units=np.repeat(np.arange(4), 3)).count == 12


def test_headroom_and_overcommit_change_what_a_machine_offers():
    cluster = scenario([template(500, 1)], [0] * 8)
    assert pack(cluster, machine()).count == 4
    assert pack(cluster, machine(), headroom=0.5).count == 8
    packing = pack(cluster, machine(), overcommit_cpu=2.0)
    assert packing.count == 2
    assert any("overcommit" in assumption.name for assumption in packing.assumptions)


def test_the_table_and_summary_say_how_full_the_machines_are():
    packing = pack(scenario([template(500, 250)], [0, 0, 0]), machine())
    assert packing.table["cpu_used_share"].tolist() == [1.0, 0.5]
    assert packing.table["units"].tolist() == [2, 1]
    assert packing.summary()["cpu_used_percent"] == 75.0
    assert "first-fit-decreasing" in packing._repr_html_()


def test_every_packer_is_compared_with_the_bound():
    table = compare_packers(scenario([template(600, 1)], [0] * 5), machine())
    assert table["algorithm"].tolist() == list(ALGORITHMS)
    assert (table["machines"] >= table["lower_bound"]).all()
    assert table["gap_percent"].iloc[0] == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"algorithm": "first-fit-decresing"}, "did you mean 'first-fit-decreasing'"),
        ({"machine": []}, "the machine mix is empty"),
        ({"machine": [MachineShare(machine(), -1)]}, "share of"),
        ({"machine": [MachineShare(machine(), 0)]}, "all shares"),
        ({"headroom": 1.5}, "headroom is 1.5"),
    ],
)
def test_a_question_that_makes_no_sense_is_answered_in_one_sentence(change, words):
    arguments = {"machine": machine(), **change}
    with pytest.raises(ModelError, match=words):
        pack(scenario([template(1, 1)], [0]), **arguments)


def test_more_units_of_the_same_templates_are_not_sized_anew():
    topology = compile_scenario(scenario([template(500, 1)], [0] * 4))
    more = grow(topology, 1.0)
    assert sizes(more) is sizes(topology)
    assert pack(more, machine()).count == 2 * pack(topology, machine()).count
