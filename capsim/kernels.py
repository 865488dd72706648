"""The decorator of numba kernels that call each other across files.

numba keys the cached machine code of a function by the content of the function's own file. A
function that it calls from another file can change without the cache noticing, and old results
come back silently. So kernels that live in several files of one folder carry a hash of the whole
folder in their qualified name, which names the cached file too: a change in any of them is seen.
Kernels that stand alone in one file need none of this: they say `@njit(cache=True)`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from numba import njit


def kernel_of(
    folder: Path, *, inline: Literal["never", "always"] = "never"
) -> Callable[[Callable[..., Any]], Any]:
    """A decorator for the kernels of a folder: jitted, cached, and new when any file changes.

    inline: "always" for small functions of arrays in inner loops, where numba would count
    references to every argument at each call.

    >>> kernel = kernel_of(Path(__file__).parent)
    """
    mark = _mark(folder)

    def kernel(function: Callable[..., Any]) -> Any:
        function.__qualname__ = f"{function.__qualname__}_{mark}"
        return njit(cache=True, error_model="numpy", inline=inline)(function)

    return kernel


def _mark(folder: Path) -> str:
    content = hashlib.sha256()
    for file in sorted(folder.glob("*.py")):
        content.update(file.name.encode() + b"\0" + file.read_bytes())
    return content.hexdigest()[:12]
