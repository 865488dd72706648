"""Stacks side by side: what each platform takes, how it composes, and how absurd wishes end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capsim import catalogue
from capsim.errors import ModelError
from capsim.stack import orchestrator
from capsim.stack.compare import Host, UnitSize, compare_stacks
from capsim.stack.interval import Interval, as_interval
from capsim.stack.layer import Amount
from capsim.stack.parameters import fact
from capsim.stack.platform import fill
from capsim.stack.platforms import FIVE_STACKS, platform, platforms
from capsim.stack.serverless import fargate_size
from capsim.stack.workload import PARTS

MIB, GIB = 2**20, 2**30
HOST, UNIT = Host(64, 256), UnitSize(1, 2)
ALL = platforms()

hosts = st.builds(Host, st.integers(2, 256), st.floats(4, 2048))
units = st.builds(UnitSize, st.floats(0.05, 8), st.floats(0.05, 32))


def compared(stacks=ALL, workload="web-api", host=HOST, unit=UNIT, **more):
    return compare_stacks(workload, host, unit, stacks=stacks, **more)


def test_five_stacks_stand_side_by_side_with_their_ranges():
    comparison = compare_stacks("web-api", HOST, UNIT)
    table = comparison.table
    assert tuple(table["stack"]) == FIVE_STACKS
    for name in ("units_per_host", "slowdown", "start_s", "memory_left_gib", "work_share"):
        assert (table[f"{name}_low"] <= table[name]).all()
        assert (table[name] <= table[f"{name}_high"]).all()
    assert comparison.summary()["most_units"] in FIVE_STACKS
    assert "Bare metal" in comparison._repr_html_()


def test_bare_metal_takes_its_operating_system_and_slows_nothing():
    stack = compared()["bare-metal"]
    assert stack.units == as_interval(64)
    assert stack.filling.taken.memory.value == 300 * MIB
    assert stack.slowdown.value == 1
    assert stack.boundary == "process"


def test_a_vm_holds_one_unit_with_an_operating_system_of_its_own():
    stack = compared()["kvm"]
    assert stack.units_per_kernel == as_interval(1)
    assert stack.filling.guest.memory.value == 2 * GIB + 300 * MIB
    # Host: 300 MiB and 512 MB; each VM: 300 MiB, QEMU between 30 and 131.3 MiB, 8 a vCPU, 1/512.
    vm = 300 + (30 * 131.3) ** 0.5 + 8 + (2048 + 300) / 512
    expected = (300 + vm * 64) * MIB + 512e6
    assert stack.filling.taken.memory.value == pytest.approx(expected)


def test_esxi_charges_what_the_table_of_the_vendor_says():
    layer = platform("esxi").layers[0]
    # 2 vCPU and 4 GiB: 52.72; the plane through all 16 shapes misses by less than 1.
    taken = layer.takes_each(Amount(as_interval(2.0), as_interval(4096.0 * MIB)))
    assert taken.memory.value == pytest.approx(52.72 * MIB, abs=1 * MIB)
    kept = layer.takes_once(Amount(as_interval(32.0), as_interval(128.0 * GIB))).memory
    # 899 MB of the first 28 GB and 1 % of 100 GB, and the VMkernel.
    assert kept.value - 2048 * MIB == pytest.approx((899 + 1024) * MIB, rel=0.01)


def test_hyper_v_keeps_about_8_gib_of_256():
    layer = platform("hyper-v").layers[0]
    kept = layer.takes_once(Amount(as_interval(32.0), as_interval(256.0 * GIB))).memory
    assert kept.value - 2048 * MIB == (384 + 30 * 256) * MIB


@pytest.mark.parametrize(
    ("service", "machine"),
    [("eks", "m7i.2xlarge"), ("gke", "n2-standard-8"), ("aks", "Standard_D8s_v3")],
)
def test_a_node_loses_what_the_catalogue_says_of_the_same_machine(service, machine):
    node = catalogue.machine(machine, max_pods=110)
    cores, memory = node.capacity["cpu"] / 1000, node.capacity["memory"]
    layer = orchestrator.managed_kubernetes(service)
    kept = layer.takes_once(Amount(as_interval(cores), as_interval(float(memory))))
    assert memory - kept.memory.value == node.allocatable["memory"]
    assert 1000 * (cores - kept.cores.value) == pytest.approx(node.allocatable["cpu"])


def test_pods_of_a_node_share_a_kernel_and_are_capped():
    tiny = compared(("eks",), unit=UnitSize(0.01, 0.01))["eks"]
    assert tiny.units_per_kernel == as_interval(110)
    assert tiny.units == as_interval(110 * 8)
    few = compared(("eks",), unit=UnitSize(0.01, 0.01), node_cores=64)["eks"]
    assert few.units == as_interval(250)


@pytest.mark.parametrize(
    ("pod", "size"),
    [
        ((1, 8.25), (2, 9)),
        ((0.25, 0.5), (0.25, 0.5)),
        ((0.3, 0.3), (0.5, 1)),
        ((16, 119), (16, 120)),
    ],
)
def test_fargate_rounds_a_pod_up_to_the_next_size(pod, size):
    assert fargate_size(pod[0], pod[1] * GIB) == (size[0], size[1] * GIB)


def test_a_pod_on_fargate_gets_256_mib_before_it_is_rounded():
    stack = compared(unit=UnitSize(1, 8))["fargate"]
    assert stack.filling.guest.cores.value == 2
    assert stack.filling.guest.memory.value == 9 * GIB
    assert stack.units.value == 28
    assert stack.charge.value == pytest.approx(28 * (2 * 0.04048 + 9 * 0.004445))


def test_a_pod_too_large_for_fargate_is_one_sentence():
    with pytest.raises(ModelError, match="Fargate has no size for a pod of 17 cores") as caught:
        compared(unit=UnitSize(17, 8))
    assert "\n" not in str(caught.value)


def test_kata_adds_to_each_pod_what_the_runtime_class_says():
    kata, plain = compared()["kata"], compared()["containers"]
    each = kata.filling.taken.memory.value - plain.filling.taken.memory.value
    shims = plain.filling.taken.memory.value - 300 * MIB - 60e6
    assert kata.filling.taken.cores.value == pytest.approx(0.25 * kata.units.value)
    assert each == pytest.approx(320 * MIB * 51 - shims / 64 * (64 - 51), rel=1e-6)
    assert kata.units_per_kernel == as_interval(1)


def test_nested_layers_multiply_and_take_at_every_level():
    both, inner, outer = (compared()[key] for key in ("kata-in-vms", "kata", "eks"))
    assert both.units.value < min(inner.units.value, outer.units.value)
    for part in range(len(PARTS)):
        nested, kata = both.platform.slows[part].value, inner.platform.slows[part].value
        assert nested >= kata
    assert both.boundary == "virtual machine"
    assert outer.boundary == "container"


def test_stronger_isolation_is_told_in_order():
    order = [compared()[key].boundary for key in ("bare-metal", "containers", "gvisor", "fargate")]
    assert order == ["process", "container", "user-space kernel", "virtual machine"]


def test_starts_are_those_of_the_layers_that_start():
    vm, pod, task = (compared()[key].platform for key in ("kvm", "eks", "fargate"))
    assert pod.start.value < vm.start.value < task.start.value
    node = ("scale-up noticed", "join"), ("call", "allocate", "boot")
    launch = sum(
        fact("start", what, step).value
        for what, steps in zip(("node", "vm"), node, strict=True)
        for step in steps
    )
    assert pod.start_with_machine.value == pytest.approx(pod.start.value + launch)
    assert vm.start_with_machine == vm.start
    assert task.start.holds(57)


@settings(max_examples=40, deadline=None)
@given(host=hosts, unit=units, key=st.sampled_from(ALL))
def test_units_and_what_layers_take_never_exceed_the_host(host, unit, key):
    try:
        stack = compared((key,), host=host, unit=unit)[key]
    except ModelError as error:
        assert "Fargate has no size" in str(error)  # noqa: PT017
        return
    for resource in ("cores", "memory"):
        has = getattr(host.amount, resource).value
        used = stack.units.value * getattr(unit.amount, resource).value
        used += getattr(stack.filling.taken, resource).value
        fits = stack.units.value == 0 or used <= has * (1 + 1e-6)
        assert fits, (key, resource, used, has)
    assert stack.units.low <= stack.units.value <= stack.units.high
    assert stack.slowdown.low >= 1


@settings(max_examples=40, deadline=None)
@given(host=hosts, unit=units, more=st.floats(1, 3), key=st.sampled_from(ALL))
def test_a_larger_unit_never_raises_the_number_that_fits(host, unit, more, key):
    larger = UnitSize(unit.cores * more, unit.memory_gib * more)
    try:
        counts = [compared((key,), host=host, unit=each)[key].units for each in (unit, larger)]
    except ModelError:
        return
    for end in ("low", "value", "high"):
        assert getattr(counts[1], end) <= getattr(counts[0], end)


@settings(max_examples=40, deadline=None)
@given(low=st.floats(0.2, 1), high=st.floats(1, 3), key=st.sampled_from(ALL))
def test_a_unit_of_uncertain_size_gives_a_range_that_holds_those_of_its_ends(low, high, key):
    tiers, host = platform(key).tiers, HOST.amount
    size = Amount(Interval(1, low, high), Interval(2 * GIB, 2 * GIB * low, 2 * GIB * high))
    whole = fill(tiers, host, size, 8).units
    for scale in (low, 1.0, high):
        part = fill(tiers, host, Amount(as_interval(scale), as_interval(2 * GIB * scale)), 8).units
        assert whole.low <= part.low
        assert part.high <= whole.high


def test_explain_tells_the_five_things_of_each_layer_with_sources():
    told = compared().explain("eks")
    assert list(told["layer"]) == [
        "cloud hypervisor",
        "Linux",
        "containerd",
        "bridge network",
        "EKS",
    ]
    eks = told.iloc[-1]
    assert eks["takes_once"] == "0.09 cores, 1,565 MiB"
    assert "USD per hour" in eks["costs"]
    assert "amazon-eks-ami" in eks["rests_on"]
    assert told["rests_on"].str.len().gt(5).all()
    rounded = compared(unit=UnitSize(1, 8)).explain("fargate")
    assert "rounded up to 2 cores, 9 GiB" in set(rounded["takes_each"])


def test_assumptions_name_the_workload_and_every_fact_with_its_range():
    listed = compare_stacks("web-api", HOST, UNIT).assumptions
    names = [each.name for each in listed]
    assert names[0] == "workload web-api"
    assert len(names) == len(set(names))
    assert all(each.source for each in listed)
    guessed = [each for each in listed if each.source.startswith("unverified")]
    assert guessed
    assert all(each.low for each in guessed)


def test_the_parts_of_the_slow_down_are_listed_by_stack():
    parts = compare_stacks("in-memory-cache", HOST, UNIT).parts
    packets = parts[(parts["stack"] == "containers") & (parts["part"] == "packets")].iloc[0]
    assert packets["share"] == pytest.approx(0.7)
    assert packets["low"] <= packets["slowdown"] <= packets["high"]


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda: Host(0, 256), "host: cores is 0, expected a number above 0"),
        (lambda: Host(4, float("nan")), "host: memory_gib is nan"),
        (lambda: UnitSize(-1, 2), "unit: cores is -1"),
        (lambda: UnitSize(1, float("inf")), "unit: memory_gib is inf"),
        (lambda: compared(("kmv",)), "unknown platform 'kmv' .did you mean 'kvm'"),
        (lambda: compared(()), "no stack to compare"),
        (lambda: compared(workload="webapi"), "unknown workload 'webapi' .did you mean 'web-api'"),
        (lambda: compared(node_cores=0), "node: cores is 0"),
        (lambda: compared(("kvm",))["eks"], "no stack 'eks' in this comparison; it has kvm"),
    ],
)
def test_an_absurd_wish_is_answered_by_one_sentence(ask, told):
    with pytest.raises(ModelError, match=told) as caught:
        ask()
    assert "\n" not in str(caught.value)


def test_a_unit_larger_than_the_host_fits_no_time():
    assert compared(("kvm", "containers"), unit=UnitSize(100, 2))["kvm"].units == as_interval(0)


def test_bare_numbers_for_host_and_unit_are_refused_with_what_is_expected():
    with pytest.raises(ModelError, match=r"host is 64, expected cores and GiB, such as cs\.Host"):
        compare_stacks("web-api", 64, 2)
    with pytest.raises(ModelError, match=r"unit is 2, expected .* cs\.UnitSize\(1, 2\)"):
        compare_stacks("web-api", Host(64, 256), 2)
