"""What a soak has shown, for people; and whether the memory of the service stayed as it was."""

from collections.abc import Sequence

from tests.soak.oracle import Verdict
from tests.soak.services import Life
from tests.soak.world import World

MIB = 1024 * 1024
MOST_GROWTH = 0.10
LEAST_LIFE = 300.0
"""A process that lived for less has hardly filled its caches; seconds."""


def tenths(life: Life) -> list[float]:
    """MiB that a process held in each tenth of its life, on average."""
    whole = life.memory[-1][0]
    parts: list[list[int]] = [[] for _ in range(10)]
    for age, held in life.memory:
        parts[min(9, int(10 * age / whole))].append(held)
    return [sum(part) / len(part) / MIB if part else 0.0 for part in parts]


def growth(parts: Sequence[float]) -> float:
    """How much more the last tenth is than the second; 0.1: a tenth."""
    return parts[9] / parts[1] - 1


def lines(world: World, verdict: Verdict) -> list[str]:
    """The report; a fault of the memory is added to the verdict."""
    terms = world.terms
    told = [f"{terms.days:g} days at {terms.pace:,g} times the pace, seed {terms.seed}"]
    lives = world.services.lives
    ends = {
        "killed": sum(one.killed for one in lives),
        "stopped": sum(not one.killed for one in lives),
    }
    told += [f"processes of the service: {len(lives)}, {_counts(ends)}"]
    for name, figure in verdict.figures.items():
        told.append(f"{name}: {_counts(figure) if isinstance(figure, dict) else figure}")
    told.append(f"messages that the mail server kept: {len(world.relay.received):,}")
    told.append(f"its faults: {_counts(dict(sorted(world.relay.faults.items())))}")
    told.append(f"acts: {_counts(dict(sorted(world.done.items())))}")
    told.append(
        f"editions released by hand: {world.newsroom.released}; not taken back: {world.newsroom.refused}"
    )
    told.append(f"not ready, by what was said: {_counts(dict(world.machines.unready)) or 'never'}")
    if (life := world.machines.long_life) is not None:
        parts = tenths(life)
        told.append(
            f"memory of the longest life, {life.memory[-1][0]:,.0f} s, by tenths, MiB: "
            + " ".join(f"{part:.1f}" for part in parts)
        )
        told.append(f"the last tenth beside the second: {growth(parts):+.1%}")
        if life.memory[-1][0] < LEAST_LIFE:
            told.append("too short a life to judge")
        elif growth(parts) > MOST_GROWTH:
            verdict.faults.append(f"memory grew by {growth(parts):.1%}")
    told += [f"FAULT {fault}" for fault in verdict.faults]
    return [*told, "FAILED" if verdict.faults else "All as promised."]


def _counts(figure: dict[str, object]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in figure.items())
