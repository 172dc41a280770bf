"""How an editor's word stands above the classifier's, and what holds a story together."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from digest.model import Match, Ruling, ThemeScore, Verdict

LEXICON = "lexicon"
EDITOR = "editor"
"""Who filed an article under a theme: `Match.by`."""


def overrule(
    found: Iterable[Match],
    scores: Iterable[ThemeScore],
    rulings: Mapping[str, Ruling],
    version: str,
) -> tuple[Match, ...]:
    """The classifier's matches as far as no editor ruled on their theme, those added before them.

    Themes that an editor added stand first, the better score before the lesser. Their score is the
    classifier's, raised to the threshold, for by the editor's word it is reached; the hits are those
    found all the same, so that their sum tells what the classifier alone would say. A theme that
    `scores` does not have is no theme of ours any more and is left out.
    """
    added = [
        Match(s.theme, max(s.score, s.threshold), s.threshold, EDITOR, version, s.hits, s.blotted)
        for s in scores
        if s.theme in rulings and rulings[s.theme].verdict is Verdict.ADD
    ]
    added.sort(key=lambda match: -match.score / match.threshold)
    return (*added, *(match for match in found if match.theme not in rulings))


def parts(members: Collection[int], links: Iterable[tuple[int, int]]) -> list[list[int]]:
    """The members in groups that links hold together, the largest group first, then by lowest id."""
    group = {member: member for member in members}

    def head(member: int) -> int:
        while group[member] != member:
            member = group[member]
        return member

    for one, other in links:
        if one in group and other in group:
            first, second = sorted((head(one), head(other)))
            group[second] = first
    found: dict[int, list[int]] = {}
    for member in sorted(members):
        found.setdefault(head(member), []).append(member)
    return sorted(found.values(), key=lambda part: (-len(part), part[0]))


def in_order(found: Iterable[Match], themes: Sequence[str]) -> list[Match]:
    """Matches in the classifier's order: the best first, of equal ones as config.toml has them."""
    places = {theme: place for place, theme in enumerate(themes)}
    return sorted(
        found,
        key=lambda match: (-match.score / match.threshold, places.get(match.theme, len(places))),
    )
