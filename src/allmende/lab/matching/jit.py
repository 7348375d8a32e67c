"""Jit: how the lab's kernels are compiled, said once.

Rule: a kernel and all that it calls stand in one file, because numba's cache looks at the
time of that file alone. Compiled code is kept in __pycache__, or wherever NUMBA_CACHE_DIR says.
Invariant: importing a kernel compiles nothing; its first call does, once per machine.
Worked number: the book's kernel takes a few seconds to compile and a quarter to load.

numba does not look at bounds unless NUMBA_BOUNDSCHECK=1 stands in the environment, and its
cache does not tell the two apart: run checks with a NUMBA_CACHE_DIR of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit
from numba.cpython.unsafe import numbers

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """To machine code, without the interpreter's lock, kept on disk."""
    return cast(Function, njit(cache=True, nogil=True, error_model="numpy")(function))


trailing_zeros = cast(Callable[[int], int], numbers.trailing_zeros)
"""How far down the lowest bit of a word stands; one instruction, inside a kernel only."""
