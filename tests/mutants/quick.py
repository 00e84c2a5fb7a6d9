"""A plugin of pytest for tests of mutants: random tests try the same examples each time, and do not shrink them."""

from __future__ import annotations

from typing import Final

import hypothesis

PROFILE: Final = "mutants"

# A mutant that is killed once is killed again. A failure is enough: nobody reads the smallest example of it.
hypothesis.settings.register_profile(
    PROFILE,
    derandomize=True,
    deadline=None,
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    report_multiple_bugs=False,
)
