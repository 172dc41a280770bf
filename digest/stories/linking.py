"""Links articles into stories: by likeness, and as an editor decides."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import combinations, islice

from digest.errors import NotFoundError
from digest.model import Article, Correction, Entry, Verdict
from digest.store.articles import find_article
from digest.store.database import Database
from digest.stories import store as stories
from digest.stories.fingerprints import Fingerprint, fingerprint, from_json
from digest.stories.likeness import LINKED, Comparison, Counts, compare, group, in_window, link
from digest.stories.store import (
    forget_splits,
    forget_story_corrections,
    rule_pair,
    story_corrections,
)


@dataclass(frozen=True, slots=True)
class Pair:
    """Two articles compared, and an editor's ruling on them.

    `candidate` is False where the index does not find the one for the other.
    """

    article_id: int
    other_id: int
    comparison: Comparison
    candidate: bool
    same_story: bool
    correction: Correction | None


def fingerprint_of(copy: Article | Entry, received: datetime | None = None) -> Fingerprint:
    """What link_article compares of an article; `received` stands in for an entry's unknown day."""
    came = copy.received_at if isinstance(copy, Article) else received
    day, came_on = copy.published.day, came and came.date()
    title, text, language = copy.title, copy.text, copy.language
    return fingerprint(title=title, text=text, language=language, day=day, received=came_on)


def prepare_links(db: Database, articles: Sequence[tuple[int, Fingerprint]]) -> None:
    """Compare articles that are about to be saved with the stored ones and with each other.

    So link_article, which does the same inside a write, finds it done. An article without an id has 0.
    """
    counts = stories.counts(db)
    by_key: dict[int, list[int]] = defaultdict(list)
    texts = [print_.to_json() for _, print_ in articles]
    for place, (article_id, print_) in enumerate(articles):
        link(texts[place], stories.candidates(db, article_id, print_), counts)
        shared = Counter(other for key in print_.keys for other in by_key[key])
        near = (
            other
            for other, count in shared.most_common()
            if count > 1 and in_window(print_, articles[other][1])
        )
        link(texts[place], [(other, texts[other]) for other in islice(near, stories.MOST)], counts)
        for key in print_.keys:
            by_key[key].append(place)


def link_article(
    db: Database, article_id: int, print_: Fingerprint, moment: datetime, ranks: Sequence[str]
) -> int:
    """Link an article that is new or has a new version; how many others it is alike to.

    Links of an older version that no longer apply are deleted. Editors' rulings stay: articles split
    apart are not linked, articles joined stay together. `ranks` are the sources' names in the order
    of config.toml. Call inside a write.
    """
    if print_.received:  # a new version comes later than its article did
        print_ = replace(print_, received=stories.received_at(db, article_id).date())
    text = stories.save_fingerprint(db, article_id, print_)
    corrections = story_corrections(db, article_id)
    apart = {other for other, one in corrections.items() if one.verdict is Verdict.SPLIT}
    before = stories.links_of(db, article_id, stories.LIKENESS)
    candidates = stories.candidates(db, article_id, print_)
    # A link stays although the index would now give nearer articles first.
    rest = before - {other for other, _ in candidates}
    candidates += stories.fingerprints_of(db, sorted(rest)).items()
    alike = link(text, candidates, stories.counts(db))
    links = [(other, one) for other, one in alike if other not in apart]
    stories.unlink(db, article_id, before - {other for other, _ in links})
    for other, comparison in links:
        stories.save_link(db, article_id, other, comparison, stories.LIKENESS, moment)
    arrange(db, [article_id, *before], moment, ranks)
    return len(links)


def arrange(
    db: Database, article_ids: Collection[int], moment: datetime, ranks: Sequence[str]
) -> None:
    """Put these articles, and all that is connected with them, into stories by links and rulings.

    What comes out is the same whichever came first. A story keeps its id with most of its members.
    Call inside a write.
    """
    around = stories.neighbourhood(db, article_ids)
    if len(around) == 1:
        return
    prints = stories.fingerprints_of(db, around)
    links = [row for row in stories.links_within(db, around) if row["score"] >= LINKED]
    # Of equal links the texts decide, since the ids tell who came first.
    links.sort(key=lambda row: sorted((prints[row["article_id"]], prints[row["other_id"]])))
    links.sort(key=lambda row: -row["score"])
    rulings = stories.rulings_among(db, around)
    groups = group(
        stories.days_of(db, around),
        [(row["article_id"], row["other_id"]) for row in links],
        joined=[pair for pair, verdict in rulings.items() if verdict is Verdict.JOIN],
        split=[pair for pair, verdict in rulings.items() if verdict is Verdict.SPLIT],
    )
    were = {article_id: stories.story_of(db, article_id) for article_id in around}
    free = {story for story in were.values() if story is not None}
    touched = set(free)
    for each in sorted(groups, key=lambda each: (-len(each), min(each))):
        if len(each) == 1:
            stories.take_out(db, [one for one in each if were[one] is not None])
            continue
        held = Counter(story for one in sorted(each) if (story := were[one]) in free and story)
        story = held.most_common(1)[0][0] if held else stories.new_story(db, moment)
        free.discard(story)
        touched.add(story)
        for one in each:
            if were[one] != story:
                stories.move(db, one, story)
    for story in sorted(touched):
        stories.choose_lead(db, story, ranks)


def join_articles(
    db: Database, article_ids: Sequence[int], *, by: str, moment: datetime, ranks: Sequence[str]
) -> int:
    """Make one story of these articles and of the stories they are in; its id.

    An editor's ruling joins each two of them, and the splits between members of that story are
    deleted: the later ruling counts. Call inside a write.

    Raises:
        NotFoundError: there is no such article, or fewer than two were given.
    """
    ids = sorted(set(article_ids))
    for article_id in ids:
        find_article(db, article_id)
    if len(ids) < 2:
        raise NotFoundError("a story has at least two articles; name another one to join")
    prints = stories.fingerprints_of(db, ids)
    for one, other in combinations(ids, 2):
        rule_pair(db, one, other, Verdict.JOIN, by, moment)
        comparison = compare(from_json(prints[one]), from_json(prints[other]), stories.counts(db))
        stories.save_link(db, one, other, comparison, stories.EDITOR, moment)
    joined = {story for one in ids if (story := stories.story_of(db, one)) is not None}
    forget_splits(
        db, {*ids, *(member for story in joined for member in stories.members(db, story))}
    )
    arrange(db, ids, moment, ranks)
    return int(stories.story_of(db, ids[0]) or 0)


def split_article(
    db: Database, article_id: int, *, by: str, moment: datetime, ranks: Sequence[str]
) -> list[int]:
    """Take an article out of its story by an editor's ruling; the ids of those it was split from.

    The others stay one story if links connect them. An article without a story does not change. Call inside a write.

    Raises:
        NotFoundError: there is no such article.
    """
    find_article(db, article_id)
    story = stories.story_of(db, article_id)
    if story is None:
        return []
    others = [member for member in stories.members(db, story) if member != article_id]
    for other in others:
        rule_pair(db, article_id, other, Verdict.SPLIT, by, moment)
    stories.unlink(db, article_id, others)
    arrange(db, [article_id], moment, ranks)
    return others


def take_back(
    db: Database, article_id: int, *, moment: datetime, ranks: Sequence[str]
) -> dict[int, Correction]:
    """Delete the rulings on an article and others, and return them by the other's id.

    The article is linked as if no editor had ruled on it; what only it connected in its story is
    split. Without a ruling nothing changes. Call inside a write.

    Raises:
        NotFoundError: there is no such article.
    """
    find_article(db, article_id)
    corrections = story_corrections(db, article_id)
    if not corrections:
        return {}
    forget_story_corrections(db, article_id)
    stories.unlink(db, article_id, corrections)
    print_ = fingerprint_of(find_article(db, article_id))
    link_article(db, article_id, print_, moment, ranks)
    return corrections


_FIRST_COUNT = 1_000  # articles from which a store tells by itself how usual a word is


def count_words(db: Database, moment: datetime, *, only_if_due: bool = False) -> bool:
    """Count in how many articles each word is; from now on new articles are compared by that.

    With `only_if_due` only when the store has doubled since the last time. Links stay as they are.
    """
    last, articles = stories.counts(db), stories.articles_to_count(db)
    if only_if_due and articles < max(_FIRST_COUNT, 2 * last.articles):
        return False
    keys = stories.count_keys(db, max(3, articles // 333))
    with db.write():
        stories.save_counts(db, Counts(last.version + 1, articles, keys), moment)
    return True


def explain_pair(db: Database, article_id: int, other_id: int) -> Pair:
    """Why two articles are one story, or are not.

    Raises:
        NotFoundError: there is no such article.
    """
    for one in (article_id, other_id):
        find_article(db, one)
    if article_id == other_id:
        raise NotFoundError(f"{article_id} was given twice; name another article")
    [pair] = _explain(db, article_id, {other_id})
    return pair


def explain_article(db: Database, article_id: int) -> list[Pair]:
    """An article beside all that it is linked to, was ruled on with, or may be about the same event
    as, the most alike first.

    Raises:
        NotFoundError: there is no such article.
    """
    find_article(db, article_id)
    return _explain(db, article_id, set())


def _explain(db: Database, article_id: int, others: set[int]) -> list[Pair]:
    """The article beside these others, or beside all that there is a reason for."""
    counts = stories.counts(db)
    if not (print_ := stories.fingerprints_of(db, [article_id])):
        return []
    own = from_json(print_[article_id])
    nearby = dict(stories.candidates(db, article_id, own))
    corrections = story_corrections(db, article_id)
    others = others or {*nearby, *corrections, *stories.links_of(db, article_id)}
    prints = nearby | stories.fingerprints_of(db, sorted(others - nearby.keys()))
    story = stories.story_of(db, article_id)
    pairs = [
        Pair(
            article_id,
            other,
            compare(own, from_json(prints[other]), counts),
            candidate=other in nearby,
            same_story=story is not None and story == stories.story_of(db, other),
            correction=corrections.get(other),
        )
        for other in others & prints.keys()
    ]
    return sorted(pairs, key=lambda pair: (-pair.comparison.score, pair.other_id))
