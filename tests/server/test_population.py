"""The number of workers by hand and by load."""

from __future__ import annotations

import os

from pihub.server.population import Population
from pihub.settings.schema import Server
from pihub.settings.workers import Bounds


class Told:
    """What the arbiter's hub is told."""

    def scaled(self, values: dict[str, int]) -> None:
        self.values = values


def test_a_worker_added_by_hand_stays_as_long_as_one_added_for_load() -> None:
    calm = Server(scale_up_after=10, scale_down_after=300)
    population = Population(calm, Bounds(1, 4), 8, inherited=2)

    def idle(*seconds: int) -> None:
        for now in seconds:
            population.turn(now, Told(), [os.getpid()] * population.wanted, [], True)

    idle(1000, 1001, 1290)
    population.signal(+1)
    idle(1302, 1590)
    assert population.wanted == 3
    idle(1603)
    assert population.wanted == 2
