"""Aside: a long computation in a process of its own, so that no request waits for its turns.

Rule: a function of a module and its arguments go in, its result comes out; the process is new,
polite to others, and ends with its answer. Call it from a thread: it waits.
Invariant: the interpreter of the market runs nothing of the computation; a process that fails
raises `Failed` and leaves nothing behind.
Worked number: the race monitor's panels are 1.8 s of one core, in two languages; a thread
would take them from the requests in flight, 5 ms at a time.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import ParamSpec, TypeVar

NICENESS = 5

P = ParamSpec("P")
T = TypeVar("T")


class Failed(RuntimeError):
    """The process ended without an answer; what it said is on the market's own stderr."""


def aside(function: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """`function(*args)`, worked out elsewhere. Both ways it is pickled: ours, to ourselves."""
    done = subprocess.run(
        [sys.executable, "-m", __name__],
        input=pickle.dumps((function, args, named)),
        stdout=subprocess.PIPE,
        check=False,
    )
    if done.returncode:
        raise Failed(f"{function.__name__} failed in its process, with code {done.returncode}.")
    found: T = pickle.loads(done.stdout)
    return found


def main() -> None:
    os.nice(NICENESS)
    function, args, named = pickle.load(sys.stdin.buffer)
    answer = pickle.dumps(function(*args, **named))
    sys.stdout.buffer.write(answer)


if __name__ == "__main__":
    main()
