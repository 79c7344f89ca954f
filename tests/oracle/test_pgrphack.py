"""pgrphack beside C's."""

from __future__ import annotations

from support.oracle import Scenario, each, judge

SCENARIOS = [
    Scenario("usage", argv=("pgrphack",)),
    Scenario("not-a-leader", "pgrphack see"),
    Scenario("leads-already", argv=("pgrphack", "see")),
]


@each(SCENARIOS)
def test_pgrphack(scenario: Scenario) -> None:
    judge(scenario)
