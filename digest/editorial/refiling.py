"""Why another lexicon takes an article into a theme or out of it, in words for an editor."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from digest.editorial.lexicon import Lexicon
from digest.model import Hit, Match, ThemeScore

SHOWN = 6
"""Terms named in one reason at most."""
_SAME = 0.005

T = TypeVar("T")
Terms = Mapping[tuple[str, str], frozenset[tuple[str, float]]]
"""By theme and term as written, each role and weight that it has in some language."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A theme that an article enters, or leaves; its score by the new lexicon beside the threshold.

    `score` and `threshold` are None where the new lexicon does not have the theme.
    """

    theme: str
    enters: bool
    score: float | None
    threshold: float | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refiling:
    """An article whose themes, or their order, are others by another lexicon; best theme first."""

    article_id: int
    title: str
    language: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    turns: tuple[Turn, ...]


def terms_of(lexicon: Lexicon) -> list[tuple[str, str, str, float]]:
    """What a lexicon holds: theme, term as written, role and weight."""
    return [
        (lexicon.themes[term.theme][0], term.written, term.role.value, term.weight)
        for term in lexicon.terms
    ]


def by_term(terms: Iterable[tuple[str, str, str, float]]) -> Terms:
    found: dict[tuple[str, str], frozenset[tuple[str, float]]] = {}
    for theme, written, role, weight in terms:
        found[theme, written] = found.get((theme, written), frozenset()) | {(role, weight)}
    return found


def turns(
    before: Sequence[Match],
    after: Sequence[Match],
    scores: Sequence[ThemeScore],
    terms: Terms,
    old: tuple[Mapping[str, float], Terms] | None,
) -> tuple[Turn, ...]:
    """The themes that an article enters, best first, then those that it leaves.

    `old` are the thresholds and terms of the lexicon that filed it, None where they are not known.
    """
    by_theme = {score.theme: score for score in scores}
    was = {match.theme: match for match in before}
    now = {match.theme for match in after}
    found = [
        _entering(by_theme[match.theme], terms, old) for match in after if match.theme not in was
    ]
    found += [
        _leaving(match, by_theme.get(match.theme)) for match in before if match.theme not in now
    ]
    return tuple(found)


def _entering(
    score: ThemeScore, terms: Terms, old: tuple[Mapping[str, float], Terms] | None
) -> Turn:
    theme, weights = score.theme, _weights(score.hits)
    reasons: list[str] = []
    if old is not None:
        thresholds, known = old
        new = [term for term in weights if (theme, term) not in known]
        other = [
            term
            for term in weights
            if (theme, term) in known and known[theme, term] != terms.get((theme, term))
        ]
        reasons = [
            *_listed("now counts", new, lambda term: f"“{term}” {weights[term]:+.2f}"),
            *_listed("counts otherwise", other, lambda term: f"“{term}” {weights[term]:+.2f}"),
            *_threshold(thresholds.get(theme), score.threshold, lowered=True),
        ]
    if not reasons:
        reasons += _listed("counts", weights, lambda term: f"“{term}” {weights[term]:+.2f}")
    return Turn(score.theme, True, score.score, score.threshold, tuple(reasons))


def _leaving(match: Match, score: ThemeScore | None) -> Turn:
    if score is None:
        return Turn(match.theme, False, None, None, ("is no theme of config.toml any more",))
    was, now = _weights(match.hits), _weights(score.hits)
    gone = {term: weight for term, weight in was.items() if term not in now}
    less = {term for term in was.keys() & now.keys() if was[term] - now[term] > _SAME}
    blots = list(dict.fromkeys(hit.term for hit in score.blotted))
    known = {hit.term for hit in match.blotted}
    reasons = [
        *_listed("no longer counts", gone, lambda term: f"“{term}” {-gone[term]:+.2f}"),
        *_listed("counts less", less, lambda term: f"“{term}” {now[term] - was[term]:+.2f}"),
        *_listed("now ignores", [b for b in blots if b not in known], lambda b: f"“{b}”"),
        *_threshold(match.threshold, score.threshold, lowered=False),
    ]
    return Turn(match.theme, False, score.score, score.threshold, tuple(reasons))


def _weights(hits: Iterable[Hit]) -> dict[str, float]:
    """What each term adds to the score, the most first."""
    found: dict[str, float] = {}
    for hit in hits:
        found[hit.term] = found.get(hit.term, 0.0) + hit.weight
    return {term: found[term] for term in sorted(found, key=lambda t: -found[t]) if found[term]}


def _listed(what: str, terms: Iterable[T], shown: Callable[[T], str]) -> list[str]:
    found = [shown(term) for term in terms]
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return [f"{what} {', '.join(found[:SHOWN])}{more}"] if found else []


def _threshold(old: float | None, new: float, *, lowered: bool) -> list[str]:
    """That the threshold was lowered, or raised; nothing where it was not."""
    if old is None or not (new < old if lowered else new > old):
        return []
    return [f"threshold {new:.2f}, was {old:.2f}"]
