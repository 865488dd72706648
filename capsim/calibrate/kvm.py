"""A tiny virtual machine through /dev/kvm: what an exit costs, and how long a start takes.

The guest is a handful of bytes in real mode. Interface: Linux Documentation/virt/kvm/api.rst.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from capsim.calibrate.measurement import CannotMeasure, Measured, of_repeats, reason

DEVICE = "/dev/kvm"
_API_VERSION = 12
_GET_API_VERSION, _CREATE_VM, _GET_VCPU_MMAP_SIZE = 0xAE00, 0xAE01, 0xAE04
_CREATE_VCPU, _RUN = 0xAE41, 0xAE80
_SET_USER_MEMORY_REGION = 0x4020AE46
_SET_REGS, _GET_SREGS, _SET_SREGS = 0x4090AE82, 0x8138AE83, 0x4138AE84
_SREGS_BYTES = 0x138
_EXIT_IO, _EXIT_HLT = 2, 5
_REASON_AT = 8
"""Of exit_reason in struct kvm_run."""
_CS_SELECTOR_AT = 12
"""Of cs.selector in struct kvm_sregs; cs.base comes first."""

#: out %al, $0x10; jmp to itself: every turn leaves to this process.
_OUT_FOREVER = bytes((0xE6, 0x10, 0xEB, 0xFC))
#: mov $N, %esi; then cpuid and dec %esi until 0; hlt. Every cpuid leaves to the kernel only.
_CPUID_TURNS = 20_000
_CPUID_LOOP = (
    bytes((0x66, 0xBE))
    + struct.pack("<I", _CPUID_TURNS)
    + bytes((0x0F, 0xA2, 0x66, 0x4E, 0x75, 0xFA, 0xF4))
)
_HALT = bytes((0xF4,))


@dataclass(frozen=True)
class _Machine:
    vcpu: int
    state: mmap.mmap

    def run(self) -> int:
        """Runs the guest until it leaves to this process; why it did."""
        fcntl.ioctl(self.vcpu, _RUN, 0)
        why: int = struct.unpack_from("<I", self.state, _REASON_AT)[0]
        return why


@contextmanager
def _machine(code: bytes) -> Iterator[_Machine]:
    """A virtual machine with one page of memory and one processor that stands before `code`."""
    opened: list[int] = []
    memory = mmap.mmap(-1, mmap.PAGESIZE)
    memory.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    try:
        kvm = _open()
        opened.append(kvm)
        vm = fcntl.ioctl(kvm, _CREATE_VM, 0)
        opened.append(vm)
        region = struct.pack("<IIQQQ", 0, 0, 0, mmap.PAGESIZE, address)
        fcntl.ioctl(vm, _SET_USER_MEMORY_REGION, region)
        vcpu = fcntl.ioctl(vm, _CREATE_VCPU, 0)
        opened.append(vcpu)
        _stand_at_zero(vcpu)
        size = fcntl.ioctl(kvm, _GET_VCPU_MMAP_SIZE, 0)
        with mmap.mmap(vcpu, size) as state:
            yield _Machine(vcpu, state)
    except OSError as error:
        raise CannotMeasure(f"{DEVICE} does not give a virtual machine: {reason(error)}") from None
    finally:
        for each in reversed(opened):
            os.close(each)


def _open() -> int:
    try:
        kvm = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise CannotMeasure(f"{DEVICE} cannot be opened: {reason(error)}") from None
    version = fcntl.ioctl(kvm, _GET_API_VERSION, 0)
    if version != _API_VERSION:
        os.close(kvm)
        raise CannotMeasure(f"{DEVICE} has version {version}, expected {_API_VERSION}")
    return kvm


def _stand_at_zero(vcpu: int) -> None:
    """Code segment at 0, instruction pointer 0, flags as the processor wants them."""
    special = bytearray(_SREGS_BYTES)
    fcntl.ioctl(vcpu, _GET_SREGS, special)
    struct.pack_into("<Q", special, 0, 0)
    struct.pack_into("<H", special, _CS_SELECTOR_AT, 0)
    fcntl.ioctl(vcpu, _SET_SREGS, bytes(special))
    registers = [0] * 18
    registers[17] = 2
    fcntl.ioctl(vcpu, _SET_REGS, struct.pack("<18Q", *registers))


def exits(turns: int, repeats: int = 5) -> list[Measured]:
    """Time of an exit that this process answers, and of one that the kernel answers."""
    if os.uname().machine != "x86_64":
        raise CannotMeasure(f"the guest is x86 code, this is {os.uname().machine}")
    outer, inner = [], []
    for _ in range(repeats):
        with _machine(_OUT_FOREVER) as machine:
            _expect(machine.run(), _EXIT_IO)
            started = time.perf_counter()
            for _ in range(turns):
                machine.run()
            outer.append((time.perf_counter() - started) / turns * 1e9)
        with _machine(_CPUID_LOOP) as machine:
            started = time.perf_counter()
            _expect(machine.run(), _EXIT_HLT)
            inner.append((time.perf_counter() - started) / _CPUID_TURNS * 1e9)
    note = "through Python's ioctl, which adds some hundred ns"
    return [
        of_repeats("hypervisor", "vm_exit_to_user_time", outer, "ns", "KVM, port output", note),
        of_repeats("hypervisor", "vm_exit_time", inner, "ns", "KVM, cpuid answered by the kernel"),
    ]


def start(repeats: int = 10) -> list[Measured]:
    """From opening /dev/kvm to the guest's first instruction done, of a guest of one page."""
    found = []
    for _ in range(repeats):
        started = time.perf_counter()
        with _machine(_HALT) as machine:
            _expect(machine.run(), _EXIT_HLT)
            found.append((time.perf_counter() - started) * 1e3)
    note = "without firmware, kernel or devices: a lower bound of any VM's start"
    return [
        of_repeats("hypervisor", "vm_create_time", found, "ms", "KVM, one page, one vCPU", note)
    ]


def _expect(why: int, wanted: int) -> None:
    if why != wanted:
        raise CannotMeasure(f"the guest left for reason {why}, expected {wanted}")
