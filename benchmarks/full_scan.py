"""The C yardstick: compiled here, called on the same arrays as capsim's own core."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from capsim.placement.kubernetes import gpu_share
from capsim.topology import Int64, Topology

_SOURCE = Path(__file__).parent / "yardsticks" / "full_scan.c"


def place(topology: Topology, units: Int64) -> tuple[Int64, float] | None:
    """The node of each unit and the seconds it took; None where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "full_scan.so"
        command = [compiler, "-O3", "-march=native", "-shared", "-fPIC", str(_SOURCE), "-o"]
        subprocess.run([*command, str(library), "-lm"], check=True)
        return _call(ctypes.CDLL(str(library)).place, topology, units)


def _call(
    function: ctypes._NamedFuncPointer, topology: Topology, units: Int64
) -> tuple[Int64, float]:
    offered = np.ascontiguousarray(topology.allocatable)
    boards = gpu_share.boards(topology.gpu_devices)
    used, out = _running(topology), np.empty(len(units), np.int64)
    templates = topology.unit_template[units].astype(np.int64)
    sizes = (*offered.shape, boards.shape[1], len(units))
    arrays = (offered, used, boards, topology.request, topology.gpu_share, templates, out)
    pointers = [each.ctypes.data_as(ctypes.POINTER(ctypes.c_int64)) for each in arrays]
    started = time.perf_counter()
    function(*(ctypes.c_int64(size) for size in sizes), *pointers)
    return out, time.perf_counter() - started


def _running(topology: Topology) -> Int64:
    """[N, R] what the units that run already take."""
    used = np.zeros_like(topology.allocatable)
    runs = topology.unit_node >= 0
    np.add.at(used, topology.unit_node[runs], topology.request[topology.unit_template[runs]])
    return used
