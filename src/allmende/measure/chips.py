"""Chips: how an export rule counts one, and on which side of the rule it falls.

Rule: total processing performance (TPP) is dense TFLOPS times the bit length of the operation;
a chip may be reviewed case by case if TPP and memory bandwidth are both below the dated limits.
Invariant: more performance or more bandwidth never makes a chip eligible.
Worked number: an H200 with 1,979 dense FP8 TFLOPS has 15,832, below 21,000; a B200 36,000.

Source: reference economics.md 4.8. A chip's own numbers are its vendor's.
"""

from __future__ import annotations

from allmende.measure.dated import Rules


def tpp(dense_tflops: float, bits: int) -> float:
    """Total processing performance. Sparse TFLOPS, as in advertisements, are twice too many."""
    if not (dense_tflops > 0 and bits > 0):
        raise ValueError(f"{dense_tflops} TFLOPS at {bits} bits are no chip.")
    return dense_tflops * bits


def eligible(rules: Rules, performance: float, bandwidth_gb_s: float) -> bool:
    """Whether an export may be reviewed case by case under this version of the rule."""
    limits = rules.values
    below: bool = performance < limits["tpp_below"]
    return below and bandwidth_gb_s < limits["bandwidth_below_gb_s"]
