"""Links articles into stories: by likeness, and as an editor decides."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations, islice

from digest.errors import NotFoundError
from digest.model import Article, Correction, Entry, Verdict
from digest.store.articles import find_article
from digest.store.database import Database
from digest.stories import store as stories
from digest.stories.fingerprints import Fingerprint, fingerprint, from_json
from digest.stories.likeness import Comparison, compare, in_window, link, may_join
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


def fingerprint_of(copy: Article | Entry) -> Fingerprint:
    """What link_article compares of an article."""
    return fingerprint(
        title=copy.title, text=copy.text, language=copy.language, day=copy.published.day
    )


def prepare_links(db: Database, articles: Sequence[tuple[int, Fingerprint]]) -> None:
    """Compare articles that are about to be saved with the stored ones and with each other.

    So link_article, which does the same inside a write, finds it done. An article without an id has 0.
    """
    by_key: dict[int, list[int]] = defaultdict(list)
    texts = [print_.to_json() for _, print_ in articles]
    for place, (article_id, print_) in enumerate(articles):
        link(texts[place], stories.candidates(db, article_id, print_))
        shared = Counter(other for key in print_.keys for other in by_key[key])
        near = (
            other
            for other, count in shared.most_common()
            if count > 1 and in_window(print_, articles[other][1])
        )
        link(texts[place], [(other, texts[other]) for other in islice(near, stories.MOST)])
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
    stories.save_fingerprint(db, article_id, print_)
    corrections = story_corrections(db, article_id)
    apart = {other for other, one in corrections.items() if one.verdict is Verdict.SPLIT}
    before = stories.links_of(db, article_id, stories.LIKENESS)
    candidates = stories.candidates(db, article_id, print_)
    # A link stays although the index would now give nearer articles first.
    rest = before - {other for other, _ in candidates}
    candidates += stories.fingerprints_of(db, sorted(rest)).items()
    links = [
        (other, one) for other, one in link(print_.to_json(), candidates) if other not in apart
    ]
    stories.unlink(db, article_id, before - {other for other, _ in links})
    for other, comparison in links:
        stories.save_link(db, article_id, other, comparison, stories.LIKENESS, moment)
    _find_story(db, article_id, [other for other, _ in links], corrections, moment, ranks)
    return len(links)


def _find_story(
    db: Database,
    article_id: int,
    linked: Sequence[int],
    corrections: Mapping[int, Correction],
    moment: datetime,
    ranks: Sequence[str],
) -> None:
    """Keep an article in its story, or put it into that of its best link which it may join.

    `linked` are articles, the best first; `corrections` are rulings on it and others, by their ids.
    It never joins a story with an article from which an editor split it.
    """
    joined = [other for other, one in corrections.items() if one.verdict is Verdict.JOIN]
    apart = {other for other, one in corrections.items() if one.verdict is Verdict.SPLIT}
    story = stories.story_of(db, article_id)
    if story is not None:
        others = [member for member in stories.members(db, story) if member != article_id]
        lead = stories.lead_article(db, story)
        if not set(joined).isdisjoint(others) or may_join(
            linked, others, others[0] if lead is None or lead == article_id else lead
        ):
            stories.choose_lead(db, story, ranks)
            return
        _leave(db, article_id, story, moment, ranks)
    for other in (*joined, *linked):
        story = stories.story_of(db, other)
        members = [other] if story is None else stories.members(db, story)
        lead = None if story is None else stories.lead_article(db, story)
        if not apart.isdisjoint(members):
            continue
        if other in joined or may_join(linked, members, other if lead is None else lead):
            if story is None:
                story = stories.new_story(db, moment)
                stories.move(db, other, story)
            stories.move(db, article_id, story)
            stories.choose_lead(db, story, ranks)
            return


def _leave(
    db: Database, article_id: int, story: int, moment: datetime, ranks: Sequence[str]
) -> None:
    """Take an article out of a story that it is no longer about, and split what only it connected."""
    stories.take_out(db, [article_id])
    members = stories.members(db, story)
    links = [(row["article_id"], row["other_id"]) for row in stories.links_within(db, members)]
    for part in parts(members, links)[1:]:
        stories.take_out(db, part)
        if len(part) > 1:
            own = stories.new_story(db, moment)
            for member in part:
                stories.move(db, member, own)
            stories.choose_lead(db, own, ranks)
    stories.choose_lead(db, story, ranks)


def parts(members: Collection[int], links: Iterable[tuple[int, int]]) -> list[list[int]]:
    """The members in groups that links connect, the largest group first, then by lowest id."""
    group = {member: member for member in members}

    def head(member: int) -> int:
        while group[member] != member:
            member = group[member]
        return member

    for one, other in links:
        if one in group and other in group:
            first, second = sorted((head(one), head(other)))
            group[second] = first
    groups: dict[int, list[int]] = {}
    for member in sorted(members):
        groups.setdefault(head(member), []).append(member)
    return sorted(groups.values(), key=lambda part: (-len(part), part[0]))


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
        comparison = compare(from_json(prints[one]), from_json(prints[other]))
        stories.save_link(db, one, other, comparison, stories.EDITOR, moment)
    joined = {story for one in ids if (story := stories.story_of(db, one)) is not None}
    group = {*ids, *(member for story in joined for member in stories.members(db, story))}
    forget_splits(db, group)
    target = min(joined) if joined else stories.new_story(db, moment)
    for member in group:
        if stories.story_of(db, member) != target:
            stories.move(db, member, target)
    for story in (*sorted(joined - {target}), target):
        stories.choose_lead(db, story, ranks)
    return target


def split_article(
    db: Database, article_id: int, *, by: str, moment: datetime, ranks: Sequence[str]
) -> list[int]:
    """Take an article out of its story by an editor's ruling; the ids of those it was split from.

    The others stay one story. An article without a story does not change. Call inside a write.

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
    stories.take_out(db, [article_id])
    stories.choose_lead(db, story, ranks)
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
    story = stories.story_of(db, article_id)
    if story is not None:
        _leave(db, article_id, story, moment, ranks)
    print_ = fingerprint_of(find_article(db, article_id))
    link_article(db, article_id, print_, moment, ranks)
    return corrections


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
    own = from_json(stories.fingerprints_of(db, [article_id])[article_id])
    nearby = dict(stories.candidates(db, article_id, own))
    corrections = story_corrections(db, article_id)
    others = others or {*nearby, *corrections, *stories.links_of(db, article_id)}
    prints = nearby | stories.fingerprints_of(db, sorted(others - nearby.keys()))
    story = stories.story_of(db, article_id)
    pairs = [
        Pair(
            article_id,
            other,
            compare(own, from_json(prints[other])),
            candidate=other in nearby,
            same_story=story is not None and story == stories.story_of(db, other),
            correction=corrections.get(other),
        )
        for other in others & prints.keys()
    ]
    return sorted(pairs, key=lambda pair: (-pair.comparison.score, pair.other_id))
