"""Leaves out steps of a run that fails, as long as it still fails. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def shortened(
    numbers: Sequence[int],
    fails: Callable[[Sequence[int]], bool],
    goes_on: Callable[[], bool] = lambda: True,
) -> list[int]:
    """Returns the numbers of fewer steps with which the run fails too.

    Halves are left out first, then quarters, and so on down to single steps.

    Args:
        numbers: of the steps of a run that fails.
        fails: whether a run of these steps fails.
        goes_on: whether there is still time.
    """
    needed, size = list(numbers), max(1, len(numbers) // 2)
    while goes_on():
        shorter = _without_a_part(needed, size, fails, goes_on)
        if shorter is not None:
            needed = shorter
        elif size == 1:
            break
        else:
            size = max(1, size // 2)
    return needed


def _without_a_part(
    numbers: Sequence[int], size: int, fails: Callable[[Sequence[int]], bool], goes_on: Callable[[], bool]
) -> list[int] | None:
    # The last step is the one that fails: it stays.
    for start in range(0, len(numbers) - 1, size):
        end = min(start + size, len(numbers) - 1)
        kept = [*numbers[:start], *numbers[end:]]
        if goes_on() and len(kept) < len(numbers) and fails(kept):
            return kept
    return None
