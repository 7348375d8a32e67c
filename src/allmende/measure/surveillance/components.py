"""Components: sets in which everybody reaches everybody else, along the arrows of a graph.

Rule: Tarjan 1972, with a stack of its own instead of recursion, so that depth has no limit.
Invariant: every node is in exactly one component; the order does not depend on chance.
Worked number: a > b > c > a and c > d are two components: {a, b, c} and {d}.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def components(edges: Iterable[tuple[str, str]]) -> list[frozenset[str]]:
    """The strongly connected components of a directed graph, those that reach nothing first."""
    after: dict[str, list[str]] = {}
    for source, target in edges:
        after.setdefault(source, []).append(target)
        after.setdefault(target, [])
    found: list[frozenset[str]] = []
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    path: list[str] = []
    for start in after:
        if start not in index:
            _walk(start, after, index, low, path, found)
    return found


def _walk(
    start: str,
    after: dict[str, list[str]],
    index: dict[str, int],
    low: dict[str, int],
    path: list[str],
    found: list[frozenset[str]],
) -> None:
    work: list[tuple[str, Iterator[str]]] = [_enter(start, after, index, low, path)]
    while work:
        node, rest = work[-1]
        target = next(rest, None)
        if target is None:
            work.pop()
            if work:
                low[work[-1][0]] = min(low[work[-1][0]], low[node])
            if low[node] == index[node]:
                place = path.index(node)
                found.append(frozenset(path[place:]))
                del path[place:]
        elif target not in index:
            work.append(_enter(target, after, index, low, path))
        elif target in path:
            low[node] = min(low[node], index[target])


def _enter(
    node: str,
    after: dict[str, list[str]],
    index: dict[str, int],
    low: dict[str, int],
    path: list[str],
) -> tuple[str, Iterator[str]]:
    index[node] = low[node] = len(index)
    path.append(node)
    return node, iter(after[node])
