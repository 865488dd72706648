"""The machine catalogue: three providers in one table, and machine types as nodes."""

from __future__ import annotations

import pytest

from capsim import catalogue
from capsim.data_files import data_path
from capsim.errors import ModelError
from capsim.scenario import INSTANCE_TYPE_LABEL

MIB, GIB = 2**20, 2**30


def test_all_providers_share_one_table():
    table = catalogue.machines()
    assert list(table.columns) == list(catalogue.COLUMNS)
    assert set(table["provider"]) == set(catalogue.PROVIDERS)
    assert table["instance_type"].is_unique
    assert len(table) == sum(
        len(data_path("catalogue", f"{name}_instances.csv").read_text().splitlines()) - 1
        for name in catalogue.PROVIDERS
    )


def test_prices_rise_within_a_provider():
    for provider in catalogue.PROVIDERS:
        prices = catalogue.machines(provider)["linux_usd_per_hour"].dropna()
        assert prices.is_monotonic_increasing
        assert (prices > 0).all()


def test_the_table_can_be_narrowed():
    arm = catalogue.machines("aws", arch="arm64", gpus=False, current_generation=True)
    assert set(arm["arch"]) == {"arm64"}
    assert arm["current_generation"].all()
    assert (arm["gpus"] == 0).all()
    assert (catalogue.machines(gpus=True)["gpus"] > 0).all()
    assert catalogue.machines("gcp", current_generation=True).empty


def test_an_unknown_provider_or_machine_gets_the_nearest_name():
    with pytest.raises(ModelError, match="did you mean 'azure'"):
        catalogue.machines("azur")  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"did you mean 'm7i\.xlarge'"):
        catalogue.machine("m7i.xlarg")


def test_a_machine_of_eks_loses_the_reserve_of_its_max_pods():
    # nodeadm: 255 MiB + 11 MiB x 58 pods, 100 MiB eviction; 60 + 10 + 2 x 5 of 4000 milli-cores.
    node = catalogue.machine("m7i.xlarge")
    assert node.labels == {INSTANCE_TYPE_LABEL: "m7i.xlarge"}
    assert node.allocatable == {
        "cpu": 3920,
        "memory": 16 * GIB - (255 + 11 * 58 + 100) * MIB,
        "pods": 58,
    }
    assert node.capacity == {"cpu": 4000, "memory": 16 * GIB, "pods": 58}


@pytest.mark.parametrize(
    ("machine", "pods"), [("m7i.large", 29), ("m7i.4xlarge", 110), ("m7i.48xlarge", 250)]
)
def test_pods_of_eks_follow_the_interfaces_up_to_the_cap_of_managed_nodes(machine, pods):
    assert catalogue.machine(machine).allocatable["pods"] == pods


def test_max_pods_can_be_set_and_change_the_reserve():
    few = catalogue.machine("m7i.xlarge", max_pods=10).allocatable
    many = catalogue.machine("m7i.xlarge", max_pods=110).allocatable
    assert few["memory"] - many["memory"] == 11 * 100 * MIB


@pytest.mark.parametrize(
    ("cores", "milli"), [(1, 60), (2, 70), (3, 75), (4, 80), (5, 82), (8, 90), (16, 110), (64, 230)]
)
def test_reserved_cpu_of_eks_and_gke_is_tiered(cores, milli):
    # GKE's documentation has 80 m of 4 cores and 110 m of 16.
    assert catalogue.SERVICES["aws"].reserve.reserved_cpu(cores) == milli
    assert catalogue.SERVICES["gcp"].reserve.reserved_cpu(cores) == milli


@pytest.mark.parametrize(
    ("cores", "milli"), [(1, 60), (2, 100), (4, 140), (8, 180), (16, 260), (32, 420), (64, 740)]
)
def test_reserved_cpu_of_aks_follows_its_table(cores, milli):
    assert catalogue.SERVICES["azure"].reserve.reserved_cpu(cores) == milli


def test_reserved_memory_of_gke_is_tiered():
    # 1 GiB + 0.8 + 0.8 + 0.06 x 112 GiB of 128 GiB, and 100 MiB.
    kept = catalogue.SERVICES["gcp"].reserve.reserved_memory(128 * GIB, 110)
    assert kept == pytest.approx((1 + 0.8 + 0.8 + 6.72) * GIB + 100 * MIB, abs=1)
    assert catalogue.SERVICES["gcp"].reserve.reserved_memory(GIB // 2, 110) == 355 * MIB


def test_reserved_memory_of_aks_is_the_smaller_of_pods_and_a_quarter():
    # The documentation's examples: 8 GB and 30 pods keep 650 MB, 4 GB and 70 pods 1000 MB.
    reserve = catalogue.SERVICES["azure"].reserve.reserved_memory
    assert reserve(8 * 10**9, 30) == 650 * 10**6 + 100 * MIB
    assert reserve(4 * 10**9, 70) == 1000 * 10**6 + 100 * MIB


def test_gpus_are_offered_as_whole_boards():
    assert catalogue.machine("g6.12xlarge").allocatable["nvidia.com/gpu"] == 4
    assert "nvidia.com/gpu" not in catalogue.machine("m7i.large").allocatable


def test_every_machine_of_the_catalogue_makes_a_node():
    for provider in catalogue.PROVIDERS:
        for _, entry in catalogue.machines(provider).iterrows():
            node = catalogue.node(entry, "n")
            assert all(
                0 <= node.allocatable[name] <= node.capacity[name] for name in node.allocatable
            )
            assert node.allocatable["cpu"] > 0


def test_rules_name_their_source():
    for service in catalogue.SERVICES.values():
        assert service.assumption.source
        assert service.reserve.name in service.assumption.name
