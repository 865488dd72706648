"""The bundled machine catalogue: what clouds rent out, as a table and as nodes.

Sources and dates of the rows are in data/README.md. What a managed Kubernetes keeps of a machine
for itself is the rule of each service (`capsim.stack.node_reserve`).
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
from capsim.stack.node_reserve import NodeReserve, most_pods, node_reserve

Provider = Literal["aws", "azure", "gcp"]
PROVIDERS: tuple[Provider, ...] = get_args(Provider)
NVIDIA_GPU = "nvidia.com/gpu"

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
    cpu_left = 1000 * cores - service.reserve.reserved_cpu(cores)
    memory_left = max(0, memory - service.reserve.reserved_memory(memory, pods))
    left: dict[str, Any] = {**has, CPU: f"{cpu_left}m", MEMORY: memory_left}
    return Node(
        name=name,
        labels={INSTANCE_TYPE_LABEL: str(entry["instance_type"])},
        allocatable=left,
        capacity=has,
    )


@dataclass(frozen=True)
class Service:
    """The managed Kubernetes of a provider: what it keeps of a machine, how many pods it allows."""

    reserve: NodeReserve
    max_pods: Callable[[pd.Series], int]

    @property
    def assumption(self) -> Assumption:
        """The rule, as a result states it."""
        return self.reserve.assumption


def _eks_max_pods(entry: pd.Series) -> int:
    """ENIs x (addresses - 1) + 2, within the cap of managed node groups."""
    cap = most_pods("eks", int(entry["vcpu"]))
    limit = entry["max_pods_eni"]
    return cap if pd.isna(limit) else min(cap, int(limit))


SERVICES: dict[str, Service] = {
    "aws": Service(node_reserve("eks"), _eks_max_pods),
    "azure": Service(node_reserve("aks"), lambda entry: most_pods("aks", int(entry["vcpu"]))),
    "gcp": Service(node_reserve("gke"), lambda entry: most_pods("gke", int(entry["vcpu"]))),
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
