"""Links articles into stories: as the engine finds them, and as an editor says."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

from digest.errors import NotFoundError
from digest.model import Article, Correction, Verdict
from digest.store.articles import articles_by_id
from digest.store.database import Database
from digest.stories import store as stories
from digest.stories.fingerprints import Fingerprint, fingerprint
from digest.stories.likeness import Comparison, compare, link, may_join
from digest.stories.store import (
    forget_splits,
    forget_story_corrections,
    rule_pair,
    story_corrections,
)


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


@dataclass(frozen=True, slots=True)
class Pair:
    """How an article stands to another: compared by the engine, and what an editor said.

    `candidate` is False where the index would not have brought the two together.
    """

    article_id: int
    other_id: int
    comparison: Comparison
    candidate: bool
    same_story: bool
    correction: Correction | None


def link_article(db: Database, article: Article, moment: datetime, ranks: Sequence[str]) -> int:
    """Link an article that is new or has a new version; to how many others it is alike.

    Links of an older version that hold no longer go. An editor's word stands: articles split apart
    are not linked, articles joined stay together. `ranks` are the sources' names in the order of
    config.toml. Call inside a write.
    """
    print_ = fingerprint(
        title=article.title, text=article.text, language=article.language, day=article.published.day
    )
    stories.save_fingerprint(db, article.id, print_)
    said = story_corrections(db, article.id)
    apart = {other for other, correction in said.items() if correction.verdict is Verdict.SPLIT}
    before = stories.links_by_likeness(db, article.id)
    found = stories.candidates(db, article.id, print_)
    # A link stays although the index would now bring nearer articles first.
    rest = before - {other for other, _ in found}
    found += stories.fingerprints_of(db, sorted(rest)).items()
    links = [(other, one) for other, one in link(print_, found) if other not in apart]
    stories.unlink(db, article.id, before - {other for other, _ in links})
    for other, comparison in links:
        stories.save_link(db, article.id, other, comparison, stories.LIKENESS, moment)
    _find_story(db, article.id, [other for other, _ in links], said, moment, ranks)
    return len(links)


def join_articles(
    db: Database, article_ids: Sequence[int], *, by: str, moment: datetime, ranks: Sequence[str]
) -> int:
    """Make one story of these articles and of the stories in which they are; its id.

    Each two of them are joined by an editor's decision, and the splits between members of that story are
    taken back: the later word stands. Call inside a write.

    Raises:
        NotFoundError: there is no such article, or fewer than two were given.
    """
    ids = sorted(set(article_ids))
    _must_exist(db, ids)
    if len(ids) < 2:
        raise NotFoundError("a story has two articles at least; name another one to join")
    prints = stories.fingerprints_of(db, ids)
    for one, other in combinations(ids, 2):
        rule_pair(db, one, other, Verdict.JOIN, by, moment)
        comparison = compare(prints[one], prints[other])
        stories.save_link(db, one, other, comparison, stories.EDITOR, moment)
    held = {story for one in ids if (story := stories.story_of(db, one)) is not None}
    group = {*ids, *(member for story in held for member in stories.members(db, story))}
    forget_splits(db, group)
    target = min(held) if held else stories.new_story(db, moment)
    for member in group:
        if stories.story_of(db, member) != target:
            stories.move(db, member, target)
    for story in (*sorted(held - {target}), target):
        stories.choose_lead(db, story, ranks)
    return target


def split_article(
    db: Database, article_id: int, *, by: str, moment: datetime, ranks: Sequence[str]
) -> list[int]:
    """Take an article out of its story by an editor's decision; the ids of those it was split from.

    The others stay one story. Where the article is in none, nothing changes. Call inside a write.

    Raises:
        NotFoundError: there is no such article.
    """
    _must_exist(db, [article_id])
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
    """Give an article's place among stories back to the engine; what editors had ruled, by the
    other's id.

    The article is linked anew, as if nobody had spoken of it; what it alone held in its story comes
    apart. Where nobody has spoken, nothing changes. Call inside a write.

    Raises:
        NotFoundError: there is no such article.
    """
    _must_exist(db, [article_id])
    said = story_corrections(db, article_id)
    if not said:
        return {}
    forget_story_corrections(db, article_id)
    stories.unlink(db, article_id, said)
    story = stories.story_of(db, article_id)
    if story is not None:
        _leave(db, article_id, story, moment, ranks)
    [article] = articles_by_id(db, [article_id])
    link_article(db, article, moment, ranks)
    return said


def explain_pair(db: Database, article_id: int, other_id: int) -> Pair:
    """Why two articles tell one story, or do not.

    Raises:
        NotFoundError: there is no such article.
    """
    _must_exist(db, [article_id, other_id])
    if article_id == other_id:
        raise NotFoundError(f"{article_id} was given twice; name another article")
    prints = stories.fingerprints_of(db, [article_id, other_id])
    nearby = [other for other, _ in stories.candidates(db, article_id, prints[article_id])]
    said = story_corrections(db, article_id)
    return _pair(db, article_id, other_id, prints, nearby, said)


def explain_article(db: Database, article_id: int) -> list[Pair]:
    """An article beside all that it is linked to or was ruled on, and beside the other candidates,
    the most alike first.

    Raises:
        NotFoundError: there is no such article.
    """
    _must_exist(db, [article_id])
    own = stories.fingerprints_of(db, [article_id])
    prints = own | dict(stories.candidates(db, article_id, own[article_id]))
    nearby = prints.keys() - {article_id}
    said = story_corrections(db, article_id)
    rest = {*said, *stories.links_of(db, article_id)} - prints.keys()
    prints |= stories.fingerprints_of(db, sorted(rest))
    pairs = [_pair(db, article_id, o, prints, nearby, said) for o in prints if o != article_id]
    return sorted(pairs, key=lambda pair: (-pair.comparison.score, pair.other_id))


def _pair(
    db: Database,
    article_id: int,
    other_id: int,
    prints: dict[int, Fingerprint],
    nearby: Collection[int],
    said: dict[int, Correction],
) -> Pair:
    story = stories.story_of(db, article_id)
    return Pair(
        article_id,
        other_id,
        compare(prints[article_id], prints[other_id]),
        candidate=other_id in nearby,
        same_story=story is not None and story == stories.story_of(db, other_id),
        correction=said.get(other_id),
    )


def _find_story(
    db: Database,
    article_id: int,
    linked: Sequence[int],
    said: Mapping[int, Correction],
    moment: datetime,
    ranks: Sequence[str],
) -> None:
    """Keep an article in its story, or put it into that of its best link which it may join.

    `linked` are articles, the best first; `said` is what editors said of others, by their ids. It
    never joins a story with an article from which an editor split it.
    """
    joined = [other for other, correction in said.items() if correction.verdict is Verdict.JOIN]
    apart = {other for other, correction in said.items() if correction.verdict is Verdict.SPLIT}
    story = stories.story_of(db, article_id)
    if story is not None:
        others = [member for member in stories.members(db, story) if member != article_id]
        lead = stories.lead_article(db, story)
        led = others[0] if lead is None or lead == article_id else lead
        if not set(joined).isdisjoint(others) or may_join(linked, others, led):
            stories.choose_lead(db, story, ranks)
            return
        _leave(db, article_id, story, moment, ranks)
    for other in (*joined, *linked):
        story = stories.story_of(db, other)
        held = [other] if story is None else stories.members(db, story)
        lead = None if story is None else stories.lead_article(db, story)
        if not set(held).isdisjoint(apart):
            continue
        if other in joined or may_join(linked, held, other if lead is None else lead):
            if story is None:
                story = stories.new_story(db, moment)
                stories.move(db, other, story)
            stories.put_into_story(db, article_id, story, ranks)
            return


def _leave(
    db: Database, article_id: int, story: int, moment: datetime, ranks: Sequence[str]
) -> None:
    """Take an article out of a story that it tells no longer, and let go what it alone held there."""
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


def _must_exist(db: Database, article_ids: Sequence[int]) -> None:
    found = {article.id for article in articles_by_id(db, article_ids)}
    for article_id in article_ids:
        if article_id not in found:
            raise NotFoundError(f"there is no article {article_id}; see `digest articles list`")
