"""Linear: measure's linear programmes, solved by HiGHS (extra `observatory`).

Rule: one thread, the simplex method and the same settings always, so that the same programme
has the same answer; loaded when first asked for.
Invariant: what is not solved to its optimum is an error and no number.
Worked number: a market of 200 offers and 50 models is some 10_000 variables, well below a second.
"""

from __future__ import annotations

from typing import Any

from allmende.measure.linear import Programme, Solution, Unsolved

TIME_LIMIT_S = 60.0
MISSING = (
    "Drills need HiGHS, which is not installed here: pip install 'allmende[observatory]', "
    "or highspy by itself."
)


def solve(programme: Programme) -> Solution:
    """Its optimum. Raises Unsolved."""
    try:
        import highspy
    except ImportError:
        raise Unsolved(MISSING) from None
    highs: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    highs.silent()
    settings = {"threads": 1, "solver": "simplex", "time_limit": TIME_LIMIT_S, "random_seed": 0}
    for name, value in settings.items():
        highs.setOptionValue(name, value)
    for gain in programme.gains:
        highs.addCol(gain, 0.0, highs.inf, 0, [], [])
    for row in programme.rows:
        places, takes = [part[0] for part in row.parts], [part[1] for part in row.parts]
        highs.addRow(-highs.inf, row.limit, len(row.parts), places, takes)
    highs.changeObjectiveSense(highspy.ObjSense.kMaximize)
    highs.run()
    status = highs.getModelStatus()
    if status != highspy.HighsModelStatus.kOptimal:
        raise Unsolved(f"The programme has no answer: {highs.modelStatusToString(status)}.")
    return _read(highs)


def _read(highs: Any) -> Solution:
    found = highs.getSolution()
    return Solution(
        value=float(highs.getInfo().objective_function_value),
        amounts=tuple(map(float, found.col_value)),
        duals=tuple(map(float, found.row_dual)),
    )
