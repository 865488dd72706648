"""The decorators of the kernels of this folder."""

from __future__ import annotations

from pathlib import Path

from capsim.kernels import kernel_of

kernel = kernel_of(Path(__file__).parent)
inlined = kernel_of(Path(__file__).parent, inline="always")
