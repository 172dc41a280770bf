"""The report of a soak, and whether the memory of the service stayed flat."""

from collections.abc import Sequence

from tests.soak.oracle import Verdict
from tests.soak.services import Life
from tests.soak.world import World

MIB = 1024 * 1024
MOST_GROWTH = 0.10
LEAST_LIFE = 300.0
"""Seconds; a process that lived for less has hardly filled its caches."""


def tenths(life: Life) -> list[float]:
    """MiB that a process used in each tenth of its life, on average."""
    age_at_end = life.memory[-1][0]
    parts: list[list[int]] = [[] for _ in range(10)]
    for age, used in life.memory:
        parts[min(9, int(10 * age / age_at_end))].append(used)
    return [sum(part) / len(part) / MIB if part else 0.0 for part in parts]


def growth(parts: Sequence[float]) -> float:
    """How much more the last tenth is than the second; 0.1: a tenth."""
    return parts[9] / parts[1] - 1


def lines(world: World, verdict: Verdict) -> list[str]:
    """The report; a fault of the memory is added to the verdict."""
    terms = world.terms
    report = [f"{terms.days:g} days at {terms.pace:,g} times the pace, seed {terms.seed}"]
    lives = world.services.lives
    ends = {
        "killed": sum(one.killed for one in lives),
        "stopped": sum(not one.killed for one in lives),
    }
    report += [f"processes of the service: {len(lives)}, {_counts(ends)}"]
    for name, figure in verdict.figures.items():
        report.append(f"{name}: {_counts(figure) if isinstance(figure, dict) else figure}")
    report.append(f"messages that the mail server kept: {len(world.relay.received):,}")
    report.append(f"its faults: {_counts(dict(sorted(world.relay.faults.items())))}")
    report.append(f"acts: {_counts(dict(sorted(world.done.items())))}")
    report.append(
        f"editions released by hand: {world.newsroom.released}; not taken back: {world.newsroom.refused}"
    )
    report.append(f"not ready, by reason: {_counts(dict(world.machines.unready)) or 'never'}")
    if (life := world.machines.long_life) is not None:
        parts = tenths(life)
        report.append(
            f"memory of the longest life, {life.memory[-1][0]:,.0f} s, by tenths, MiB: "
            + " ".join(f"{part:.1f}" for part in parts)
        )
        report.append(f"the last tenth beside the second: {growth(parts):+.1%}")
        if life.memory[-1][0] < LEAST_LIFE:
            report.append("too short a life to judge")
        elif growth(parts) > MOST_GROWTH:
            verdict.faults.append(f"memory grew by {growth(parts):.1%}")
    report += [f"FAULT {fault}" for fault in verdict.faults]
    return [*report, "FAILED" if verdict.faults else "All as promised."]


def _counts(figure: dict[str, object]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in figure.items())
