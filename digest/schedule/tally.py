"""What the service has done since it started, for /metrics; what is due stands in the database."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

from digest.mail.outgoing import OutcomeKind

BOUNDS = (10.0, 30.0, 60.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 10_800.0, 43_200.0, 86_400.0)
"""Of the delays, in seconds: the service reads and publishes every few minutes."""


class Tally:
    """Answers by digest and outcome; and how long articles took from their coming in until a feed
    had them: counts of those that took no longer than each of `BOUNDS`, and of all, and their sum.

    The threads of the verbs write it, each its own part; who reads sees each number whole.
    """

    def __init__(self) -> None:
        self.bounds = BOUNDS
        self.answers: Counter[tuple[str, str]] = Counter()
        self.delays = [0] * len(BOUNDS)
        self.delayed = 0
        self.delay_seconds = 0.0

    def answered(self, digest: str, kind: OutcomeKind) -> None:
        self.answers[digest, kind.value] += 1

    def appeared(self, delays: Iterable[timedelta]) -> None:
        for delay in delays:
            seconds = max(0.0, delay.total_seconds())
            self.delays = [
                count + (seconds <= bound) for count, bound in zip(self.delays, BOUNDS, strict=True)
            ]
            self.delayed += 1
            self.delay_seconds += seconds
