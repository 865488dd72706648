"""Cached kernels stand alone.

numba keys its cache by a hash of the kernel's own file: a jitted function or a constant that
comes from another file can change without the cached machine code noticing, and old results
come back silently. So a kernel file calls only its own functions, and takes constants as
arguments. Files of one folder `_kernels` may call each other: there the cache is keyed by the
whole folder (capsim.kernels).
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from capsim.kernels import kernel_of

ROOT = Path(__file__).parents[1]
KERNEL_FILES = sorted((ROOT / "capsim").rglob("_*kernels.py"))
FOLDER_FILES = sorted((ROOT / "capsim").rglob("_kernels/*.py"))
JIT_NAMES = {"njit", "jit", "vectorize", "guvectorize", "stencil"}


def is_cached_jit(decorator: ast.expr) -> bool:
    """Whether a decorator is a folder's own, or reads @njit(..., cache=True) or alike."""
    if isinstance(decorator, ast.Name):
        return decorator.id in {"kernel", "inlined"}
    if not isinstance(decorator, ast.Call):
        return False
    name = decorator.func.attr if isinstance(decorator.func, ast.Attribute) else decorator.func
    name = name.id if isinstance(name, ast.Name) else name
    return name in JIT_NAMES and any(
        word.arg == "cache" and isinstance(word.value, ast.Constant) and word.value.value is True
        for word in decorator.keywords
    )


def names_from_capsim(tree: ast.Module, own: str = "") -> set[str]:
    """Names that a file binds by importing from capsim, but for its own folder of kernels."""
    bound = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            if own and (node.module or "").startswith(f"{own}."):
                continue
            if node.level or (node.module or "").partition(".")[0] == "capsim":
                bound |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            bound |= {
                alias.asname or "capsim"
                for alias in node.names
                if alias.name.partition(".")[0] == "capsim"
            }
    return bound


def names(node: ast.AST, context: type[ast.expr_context]) -> set[str]:
    """Names that are read (ast.Load) or bound (ast.Store) in a piece of code."""
    parts = (part for part in ast.walk(node) if isinstance(part, ast.Name))
    return {part.id for part in parts if isinstance(part.ctx, context)}


def names_built_on(tree: ast.Module, foreign: set[str]) -> set[str]:
    """The foreign names and the module's own constants that are computed from them."""
    tainted = set(foreign)
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and tainted & names(node, ast.Load):
            tainted |= names(node, ast.Store)
    return tainted


def stale_uses(source: str, own: str = "") -> list[str]:
    """What cached kernels of a file in the folder `own` use that the cache would not notice."""
    tree = ast.parse(source)
    tainted = names_built_on(tree, names_from_capsim(tree, own))
    return [
        f"line {part.lineno}: {function.name} uses {part.id}"
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        and any(is_cached_jit(decorator) for decorator in function.decorator_list)
        for statement in function.body
        for part in ast.walk(statement)
        if isinstance(part, ast.Name) and part.id in tainted
    ]


@pytest.mark.parametrize(
    "path", KERNEL_FILES, ids=[path.relative_to(ROOT).as_posix() for path in KERNEL_FILES]
)
def test_a_cached_kernel_uses_nothing_of_another_file(path: Path):
    assert stale_uses(path.read_text()) == []


@pytest.mark.parametrize(
    "path", FOLDER_FILES, ids=[path.relative_to(ROOT).as_posix() for path in FOLDER_FILES]
)
def test_kernels_in_several_files_use_nothing_from_outside_their_folder(path: Path):
    own = ".".join(path.parent.relative_to(ROOT).parts)
    assert stale_uses(path.read_text(), own) == []
    assert "njit(" not in path.read_text(), "kernels of a folder carry its hash: use its `kernel`"


def test_a_change_in_any_file_of_a_folder_gives_its_kernels_another_name(tmp_path: Path):
    (tmp_path / "a.py").write_text("")
    before, after = (lambda x: x), (lambda x: x)
    kernel_of(tmp_path)(before)
    (tmp_path / "b.py").write_text("")
    kernel_of(tmp_path)(after)
    assert before.__qualname__ != after.__qualname__


KERNEL = "from numba import njit\n{imports}\n@njit(cache=True)\ndef kernel(x):\n    return {body}\n"


@pytest.mark.parametrize(
    ("imports", "body"),
    [
        ("from capsim.units import GIB", "x * GIB"),
        ("from capsim.stack._kernels import slow as s", "s(x)"),
        ("from ._kernels import slow", "slow(x)"),
        ("import capsim.units", "x * capsim.units.GIB"),
        ("from capsim.units import GIB\nTWO = 2 * GIB", "x * TWO"),
    ],
)
def test_the_rule_finds_what_would_go_stale(imports: str, body: str):
    assert len(stale_uses(KERNEL.format(imports=imports, body=body))) == 1


@pytest.mark.parametrize(
    ("imports", "body"),
    [
        ("import numpy as np", "np.sqrt(x)"),
        ("LIMIT = 4", "min(x, LIMIT)"),
        ("from capsim.units import GIB", "x"),
    ],
)
def test_the_rule_lets_a_files_own_names_and_numpy_pass(imports: str, body: str):
    assert stale_uses(KERNEL.format(imports=imports, body=body)) == []
