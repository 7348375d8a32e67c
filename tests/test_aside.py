"""Long computations in a process of their own."""

from __future__ import annotations

import os
from operator import truediv

import pytest

from allmende.adapters.aside import Failed, aside
from allmende.adapters.languages import measured


def test_it_is_worked_out_in_another_process_and_comes_back() -> None:
    assert aside(os.getpid) != os.getpid()
    assert aside(measured) == measured()


def test_what_fails_there_is_said_here() -> None:
    with pytest.raises(Failed, match="truediv"):
        aside(truediv, 1, 0)
