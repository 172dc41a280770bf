"""The weight of each article in one segment's mail: which one leads, which come second, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from digest.model import Edition, Layout, Placement

FEW = 5
"""A mail of at most so many articles has no small print: each article is shown as one of rank 2."""
SHORT_THEME = 4
"""A theme of at most so many articles has one of rank 2, a longer one has two, beside the lead."""
LONGEST_LEAD_TITLE = 140
SHORTEST_LEAD_TEXT = 120
SHORTEST_TEXT = 80
NAMES = {1: "lead", 2: "second", 3: "third"}
BY_EDITOR = "lead: editor"
LIGHT = NAMES[3]
"""Why an article is third that could be second: others weigh more."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """Rank 1 is the lead, 2 is shown with text, 3 as a line. `why` says it in words for editors, such
    as "lead: editor" or "second: full text, two languages".
    """

    rank: int
    why: str


def rank(edition: Edition, layout: Layout) -> dict[int, Ranked]:
    """The rank of each article that the layout shows, by its id, in the order of the mail: the lead,
    then each theme with what the editor put first, the articles of rank 2, the rest, and those in
    another language.
    """
    hand, language = edition.hand, layout.choice.language
    shown = [placement for section in layout.sections for placement in section.shown]
    days = sorted((day for one in shown if (day := one.article.published.day)), reverse=True)
    newest = days[(len(days) - 1) // 3] if days else date.max

    def weigh(placement: Placement) -> tuple[int, str]:
        """Its points, and what they are for."""
        article, others = placement.article, placement.siblings
        outlets = len({article.source, *(one.source for one in others)})
        languages = len({article.language, *(one.language for one in others)})
        day = article.published.day
        found = [
            (3, f"{outlets} outlets", outlets > 1),
            (2, "full text", article.complete),
            (2, "two languages" if languages == 2 else f"{languages} languages", languages > 1),
            (1, "among the newest", day is not None and day >= newest),
            (1, "several themes", len(article.themes) > 1),
        ]
        counted = [(points, why) for points, why, counts in found if counts]
        return sum(points for points, _ in counted), ", ".join(why for _, why in counted)

    def by_weight(placement: Placement) -> tuple[int, int, str]:
        day = placement.article.published.day or date.min
        return -weigh(placement)[0], -day.toordinal(), placement.article.atom_id

    ranks: dict[int, Ranked] = {}

    def settle(placement: Placement, number: int, why: str) -> None:
        ranks[placement.article.id] = Ranked(number, f"{NAMES[number]}: {why}" if why else LIGHT)

    named = () if hand.lead is None else (hand.lead,)
    chosen = [
        one
        for one in shown
        if one.article.language == language and place_of(one, named) < len(named)
    ]
    able = [one for one in shown if not _fault(one, language, leads=True)]
    lead = min(chosen or able, key=by_weight, default=None)
    if lead is not None:
        settle(lead, 1, "editor" if chosen else weigh(lead)[1] or "the newest")

    few = layout.total <= FEW
    for section in layout.sections:
        wanted = len(section.shown) if few else 1 if section.total <= SHORT_THEME else 2
        rest = [one for one in section.shown if one is not lead]
        ordered = {one.position for one in rest if place_of(one, hand.order) < len(hand.order)}
        faults = {
            one.position: "no headline of its own"
            if one.article.title_made
            else ""
            if one.position in ordered and one.article.language == language
            else _fault(one, language, few=few)
            for one in rest
        }
        able = [one for one in rest if not faults[one.position]]
        able.sort(key=lambda one: (place_of(one, hand.order), by_weight(one)))
        seconds = {one.position for one in able[:wanted]}

        def as_read(one: Placement, seconds: set[int] = seconds) -> tuple[object, ...]:
            second = one.position in seconds
            foreign = not second and one.article.language != language
            by_rank = by_weight(one) if second else (one.position,)
            return foreign, place_of(one, hand.order), not second, *by_rank

        for one in sorted(rest, key=as_read):
            second, by_hand = one.position in seconds, "editor" if one.position in ordered else ""
            light = "" if not second else weigh(one)[1] or "the newest"
            settle(one, 2 if second else 3, by_hand or faults[one.position] or light)
    return ranks


def place_of(placement: Placement, ids: Sequence[int]) -> int:
    """Where the first of these ids that names the article, or another one of its story, is among them;
    their number if none does.
    """
    names = {placement.article.id, *(one.id for one in placement.siblings)}
    return next((at for at, one in enumerate(ids) if one in names), len(ids))


def _fault(placement: Placement, language: str, *, leads: bool = False, few: bool = False) -> str:
    """Why the article cannot have rank 2, or lead; "" if it can."""
    article, text = placement.article, " ".join(placement.article.lead.split())
    paired = any(one.language != article.language for one in placement.siblings)
    shortest = 0 if few else SHORTEST_LEAD_TEXT if leads else SHORTEST_TEXT
    faults = (
        ("no headline of its own", article.title_made),
        ("in another language", article.language != language and not paired),
        (f"under {shortest} characters of text", len(text) < shortest),
        ("no date", leads and article.published.day is None),
        ("a long headline", leads and len(article.title) > LONGEST_LEAD_TITLE),
    )
    return next((why for why, found in faults if found), "")
