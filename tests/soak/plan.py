"""What happens when, in a soak: from a seed, the same for the same terms."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

STARTS = datetime(2026, 1, 1, tzinfo=UTC)
SPARED = 0.6
"""From this part of the time on, the service that works is not killed, so that its memory can be judged;
the waiting one still is."""
A_DAY = {
    "new": 3.0,
    "finish_writing": 1.0,
    "listing": 0.15,
    "correct": 1.0,
    "spoil": 0.25,
    "repair": 0.5,
    "recruit": 2.0,
    "choose_again": 0.3,
    "answer": 1.2,
    "release": 0.5,
    "settle": 0.05,
    "look": 1.0,
}
"""How often each happens on a day of the soak, on average."""
SELDOM = {
    "kill": 70,
    "kill_amid_mail": 30,
    "restart": 12,
    "second": 36,
    "refuse": 30,
    "refuse_long": 3,
    "reload": 30,
    "spoil_config": 8,
}
"""How often in a year."""


@dataclass(frozen=True)
class Terms:
    """`seldom` is how often each of SELDOM happens; `first` of the recipients are there from the
    beginning. A service waits `patience` seconds for the mail server, and has surely read its folders
    after `settles` seconds."""

    days: float = 365.0
    pace: float = 10_000.0
    seed: int = 1
    seldom: Mapping[str, int] = field(default_factory=dict)
    recipients: int = 200
    first: int = 60
    patience: float = 3.0
    settles: float = 5.0

    @classmethod
    def like_a_year(cls, days: float, pace: float, seed: int) -> "Terms":
        """In which everything happens as often as in a year."""
        seldom = {name: round(times * days / 365) for name, times in SELDOM.items()}
        return cls(days=days, pace=pace, seed=seed, seldom=seldom)

    def lasting(self, seconds: float) -> timedelta:
        """How much time of the soak passes in these real seconds."""
        return timedelta(seconds=seconds * self.pace)

    def minutes(self, seconds: float) -> str:
        """An interval for config.toml that lasts these real seconds."""
        return f"{min(1440.0, seconds * self.pace / 60):.3f}"

    def chance(self, part: str) -> random.Random:
        """Draws for one part of the world, whatever the others draw."""
        return drawn_from(self.seed, part)


def drawn_from(*seed: object) -> random.Random:
    return random.Random(" ".join(map(str, seed)))  # noqa: S311 - repeatable, not secret


def planned(terms: Terms) -> list[tuple[float, str]]:
    """Every act with its day, in order."""
    chance = terms.chance("plan")
    acts = [(SPARED * terms.days, "begin_long_life")]
    for name, times in A_DAY.items():
        day = chance.expovariate(times)
        while day < terms.days:
            acts.append((day, name))
            day += chance.expovariate(times)
    for name, times in terms.seldom.items():
        days = [chance.uniform(0.02, 1.0) * terms.days for _ in range(times)]
        acts += [(day, name) for day in days]
    return sorted(acts)
