"""The bundled machine catalogue: what clouds rent out, as a table and as nodes.

Sources and dates of the rows are in data/README.md. The reserve that a managed Kubernetes keeps
of a machine for itself is the rule of each service:
- EKS: awslabs/amazon-eks-ami, nodeadm/internal/kubelet (2026-07-23); caps of managed node groups
  from awsdocs/amazon-eks-user-guide (2024-12-18).
- GKE: GKE documentation, plan-node-sizes (2025), as restated in public code.
- AKS 1.29 and later: MicrosoftDocs/azure-aks-docs, node-resource-reservations (2026-06-11).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

import pandas as pd

from capsim.data_files import data_path
from capsim.errors import ModelError, nearest
from capsim.scenario import CPU, INSTANCE_TYPE_LABEL, MEMORY, PODS, Assumption, Node

Provider = Literal["aws", "azure", "gcp"]
PROVIDERS: tuple[Provider, ...] = get_args(Provider)
NVIDIA_GPU = "nvidia.com/gpu"

_MIB = 2**20
_GIB = 2**30
#: What every machine of the table says, whoever rents it out.
COLUMNS = (
    "provider",
    "instance_type",
    "family",
    "vcpu",
    "memory_gib",
    "arch",
    "gpus",
    "gpu_name",
    "bare_metal",
    "burstable",
    "current_generation",
    "local_storage_gb",
    "max_pods_eni",
    "linux_usd_per_hour",
    "price_region",
)

#: Columns with gaps: providers do not say the same of their machines.
_TYPES = {
    "gpu_name": "string",
    "current_generation": "boolean",
    "local_storage_gb": "Float64",
    "max_pods_eni": "Int64",
}


def machines(
    provider: Provider | None = None,
    *,
    arch: str | None = None,
    gpus: bool | None = None,
    current_generation: bool | None = None,
) -> pd.DataFrame:
    """The catalogue, one row a machine type, by provider and price.

    Parameters: provider "aws", "azure" or "gcp"; arch "x86_64" or "arm64"; gpus, with or without;
    current_generation. None leaves a column as it is; types without an entry never match.
    Returns: COLUMNS; linux_usd_per_hour is the on-demand price in price_region.
    Raises: ModelError for an unknown provider.

    >>> machines("aws", arch="arm64").head()
    """
    table = _table()
    wanted = {"arch": arch, "current_generation": current_generation}
    keep = pd.Series(True, index=table.index)
    if provider is not None:
        _check_provider(provider)
        keep &= table["provider"] == provider
    for column, value in wanted.items():
        if value is not None:
            keep &= table[column].eq(value).fillna(False)
    if gpus is not None:
        keep &= (table["gpus"] > 0) == gpus
    return table[keep].reset_index(drop=True)


def machine(name: str, *, max_pods: int | None = None) -> Node:
    """A machine type as an empty node: its capacity, and what its managed Kubernetes leaves.

    Parameters: name, an instance type such as "m7i.xlarge"; max_pods per node, by default what the
    service allows. GPUs are offered as whole boards ("nvidia.com/gpu").
    Returns: a Node named after the type, ready for `pack`.
    Raises: ModelError for a name that is not in the catalogue.

    >>> machine("m7i.xlarge").allocatable["cpu"]
    3920
    """
    return node(row(name), name, max_pods=max_pods)


def row(name: str) -> pd.Series:
    """The row of one machine type.

    Raises: ModelError for a name that is not in the catalogue, with the nearest one.
    """
    table = _table()
    known = table["instance_type"]
    found = table[known == name]
    if found.empty:
        raise ModelError(f"no machine type {name!r} in the catalogue{nearest(name, known)}.")
    return found.iloc[0]


def node(entry: pd.Series, name: str, *, max_pods: int | None = None) -> Node:
    """A row of the catalogue as an empty node of this name."""
    service = SERVICES[entry["provider"]]
    pods = service.max_pods(entry) if max_pods is None else max_pods
    cores, memory = int(entry["vcpu"]), int(entry["memory_gib"] * _GIB)
    has: dict[str, Any] = {CPU: cores, MEMORY: memory, PODS: pods}
    has |= {NVIDIA_GPU: int(entry["gpus"])} if entry["gpus"] else {}
    cpu_left = 1000 * cores - service.reserved_cpu(cores)
    memory_left = max(0, memory - service.reserved_memory(memory, pods))
    left: dict[str, Any] = {**has, CPU: f"{cpu_left}m", MEMORY: memory_left}
    return Node(
        name=name,
        labels={INSTANCE_TYPE_LABEL: str(entry["instance_type"])},
        allocatable=left,
        capacity=has,
    )


@dataclass(frozen=True)
class Service:
    """What a managed Kubernetes keeps of a machine, and how many pods it allows on it."""

    name: str
    max_pods: Callable[[pd.Series], int]
    reserved_cpu: Callable[[int], int]
    """Cores to milli-cores."""
    reserved_memory: Callable[[int, int], int]
    """Bytes and pods to bytes, with the eviction threshold."""
    rule: str
    source: str

    @property
    def assumption(self) -> Assumption:
        """The rule, as a result states it."""
        return Assumption(name=f"reserve of {self.name} nodes", value=self.rule, source=self.source)


def _eks_max_pods(entry: pd.Series) -> int:
    """ENIs x (addresses - 1) + 2, capped at 110 pods, at 250 from 30 vCPU on."""
    cap = 110 if entry["vcpu"] < 30 else 250
    limit = entry["max_pods_eni"]
    return cap if pd.isna(limit) else min(cap, int(limit))


def _tiered_cpu(cores: int) -> int:
    """6 % of the first core, 1 % of the second, 0.5 % of the next two, 0.25 % of the rest.

    Milli-cores, each tier in integers. The same for EKS and GKE.
    """
    third_and_fourth = min(max(cores - 2, 0), 2)
    rest = max(cores - 4, 0)
    return 60 * min(cores, 1) + 10 * (cores >= 2) + 5 * third_and_fourth + 5 * rest // 2


def _aks_cpu(cores: int) -> int:
    """60, 100 and 140 milli-cores for 1, 2 and 4 cores, then 10 for each core above 4."""
    return 60 + 40 * (cores >= 2) + 20 * min(max(cores - 2, 0), 2) + 10 * max(cores - 4, 0)


def _eks_memory(memory: int, pods: int) -> int:
    return (255 + 11 * pods + 100) * _MIB


def _aks_memory(memory: int, pods: int) -> int:
    return min((20 * pods + 50) * 10**6, memory // 4) + 100 * _MIB


def _gke_memory(memory: int, pods: int) -> int:
    """25 % of the first 4 GiB, 20 % to 8, 10 % to 16, 6 % to 128, 2 % above; and the threshold."""
    if memory < _GIB:
        return (255 + 100) * _MIB
    tiers = ((0, 4, 25), (4, 8, 20), (8, 16, 10), (16, 128, 6), (128, 2**20, 2))
    kept = (
        percent * max(0, min(memory, upper * _GIB) - lower * _GIB)
        for lower, upper, percent in tiers
    )
    return sum(kept) // 100 + 100 * _MIB


_TIERS = "CPU: 6 % of the first core, 1 % of the second, 0.5 % of the next two, 0.25 % above"
SERVICES: dict[str, Service] = {
    "aws": Service(
        "EKS",
        _eks_max_pods,
        _tiered_cpu,
        _eks_memory,
        f"memory: 255 MiB + 11 MiB x max pods + 100 MiB eviction threshold; {_TIERS}; pods: by "
        "network interfaces, at most 110 (250 from 30 vCPU on)",
        "awslabs/amazon-eks-ami nodeadm (2026-07-23); awsdocs/amazon-eks-user-guide (2024-12-18)",
    ),
    "azure": Service(
        "AKS",
        lambda _: 110,
        _aks_cpu,
        _aks_memory,
        "memory: the smaller of 20 MB x max pods + 50 MB and a quarter, + 100 MiB eviction "
        "threshold; CPU: 60, 100, 140 m of 1, 2, 4 cores, 10 m for each above; pods: 110",
        "MicrosoftDocs/azure-aks-docs, node-resource-reservations (2026-06-11)",
    ),
    "gcp": Service(
        "GKE",
        lambda _: 110,
        _tiered_cpu,
        _gke_memory,
        "memory: 25 % of the first 4 GiB, 20 % to 8, 10 % to 16, 6 % to 128, 2 % above, + 100 MiB "
        f"eviction threshold; {_TIERS}; pods: 110",
        "GKE documentation, plan-node-sizes (2025), as restated in public code",
    ),
}


def _check_provider(provider: str) -> None:
    if provider not in PROVIDERS:
        raise ModelError(
            f"unknown provider {provider!r}{nearest(provider, PROVIDERS)}; "
            f"known are {', '.join(PROVIDERS)}."
        )


@lru_cache(maxsize=1)
def _table() -> pd.DataFrame:
    parts = [part[list(COLUMNS)].astype(_TYPES) for part in (_aws(), _azure(), _gcp())]
    table = pd.concat(parts, ignore_index=True)
    order = ["provider", "linux_usd_per_hour", "instance_type"]
    return table.sort_values(order, kind="stable", ignore_index=True)


def _aws() -> pd.DataFrame:
    table = pd.read_csv(data_path("catalogue", "aws_instances.csv"))
    region = "us-east-1"
    return table.assign(
        provider="aws",
        family=table["instance_type"].str.partition(".")[0],
        linux_usd_per_hour=table[f"linux_usd_per_hour_{region}"],
        price_region=region,
    )


def _azure() -> pd.DataFrame:
    table = pd.read_csv(data_path("catalogue", "azure_instances.csv"))
    region = "eastus"
    return table.assign(
        provider="azure",
        arch=table["arch"].replace("amd64", "x86_64"),
        linux_usd_per_hour=table[f"linux_usd_per_hour_{region}"],
        price_region=region,
        **_unknown("gpu_name", "current_generation", "max_pods_eni", "local_storage_gb"),
        bare_metal=False,
        burstable=table["family"].str.startswith("standardBS"),
    )


def _gcp() -> pd.DataFrame:
    """The source's "memory_gb" is what Google calls GB: 2**30 bytes."""
    table = pd.read_csv(data_path("catalogue", "gcp_instances.csv"))
    return table.assign(
        provider="gcp",
        memory_gib=table["memory_gb"],
        arch="x86_64",
        gpus=0,
        linux_usd_per_hour=table["linux_usd_per_hour_us_central1"],
        price_region="us-central1",
        **_unknown("gpu_name", "current_generation", "max_pods_eni", "local_storage_gb"),
        bare_metal=False,
        burstable=False,
    )


def _unknown(*columns: str) -> dict[str, None]:
    return dict.fromkeys(columns)
