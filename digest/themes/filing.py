"""Files articles under their themes: one by one as they come in, anew by another lexicon, or as an
editor says.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from digest.config.settings import Settings
from digest.errors import NotFoundError
from digest.model import Article, Correction, Hit, Match, ThemeScore, Verdict
from digest.newsroom import Newsroom
from digest.store.articles import articles_by_id
from digest.store.database import Database
from digest.themes import store as filings
from digest.themes.classify import classify, matches
from digest.themes.evaluation import LabelledItem
from digest.themes.lexicon import Lexicon, lexicon_of
from digest.themes.store import (
    forget_theme_corrections,
    rule_theme,
    ruled_articles,
    save_matches,
    save_themes,
    theme_corrections,
    theme_corrections_of,
)

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


LEXICON = "lexicon"
EDITOR = "editor"
"""Who filed an article under a theme: `Match.by`."""


def overrule(
    found: Iterable[Match],
    scores: Iterable[ThemeScore],
    corrections: Mapping[str, Correction],
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
        if s.theme in corrections and corrections[s.theme].verdict is Verdict.ADD
    ]
    added.sort(key=lambda match: -match.score / match.threshold)
    return (*added, *(match for match in found if match.theme not in corrections))


def in_order(found: Iterable[Match], themes: Sequence[str]) -> list[Match]:
    """Matches in the classifier's order: the best first, of equal ones as config.toml has them."""
    places = {theme: place for place, theme in enumerate(themes)}
    return sorted(
        found,
        key=lambda match: (-match.score / match.threshold, places.get(match.theme, len(places))),
    )


BATCH = 200
"""Articles held in memory at once."""
Progress = Callable[[Sequence[Sequence[int]]], Iterable[Sequence[int]]]


@dataclass(frozen=True, slots=True)
class Refiled:
    """What another lexicon does: how many articles it was held against, and those it files otherwise."""

    looked_at: int
    changes: tuple[Refiling, ...]


def begin_filing(db: Database, settings: Settings, lexicon: Lexicon) -> None:
    """What matches point at: the themes of config.toml, and the lexicon. Call inside a write."""
    names = [settings.theme_names[key] for key in settings.theme_keys]
    save_themes(db, names, settings.site.languages[0])
    filings.keep_lexicon(db, lexicon.version, lexicon.themes, terms_of(lexicon))


def file_article(db: Database, lexicon: Lexicon, article: Article) -> None:
    """File an article under its themes by this lexicon; an editor's word on it stands."""
    said = theme_corrections(db, article.id)
    _, found = _judge(lexicon, article, said)
    filings.save_filing(db, article.id, found, lexicon.version)


def rehearse(
    newsroom: Newsroom, since: datetime | None = None, *, progress: Progress = iter
) -> Refiled:
    """What `apply` would do to the articles that came in since then. Call inside filings.spool.

    Afterwards filings.supposing shows the store as it would be; the database stays as it is.
    """
    db, lexicon = newsroom.db, lexicon_of(newsroom.settings.themes)
    ids = filings.filed_otherwise(db, lexicon.version, since)
    return Refiled(len(ids), tuple(_Desk(db, lexicon).look(ids, progress)))


def apply(
    newsroom: Newsroom, since: datetime | None = None, *, progress: Progress = iter
) -> Refiled:
    """File the articles that came in since then, and that another lexicon filed, by this one.

    It is all done in one write, which is short: the classifier works before it. What somebody else
    changed in the meantime is looked at again.
    """
    db, settings, lexicon = newsroom.db, newsroom.settings, lexicon_of(newsroom.settings.themes)
    with filings.spool(db):
        done = rehearse(newsroom, since, progress=progress)
        if not done.looked_at:
            return done
        changes = {change.article_id: change for change in done.changes}
        with db.write():
            begin_filing(db, settings, lexicon)
            late = filings.changed_since_spooled(db)
            for article_id in late:
                changes.pop(article_id, None)
            changes |= {one.article_id: one for one in _Desk(db, lexicon).look(late)}
            filings.keep_spool(db, lexicon.version)
    return Refiled(done.looked_at, tuple(changes[i] for i in sorted(changes)))


def rule(
    newsroom: Newsroom, article_id: int, words: Mapping[str, Verdict], *, by: str, moment: datetime
) -> tuple[Article, Article]:
    """Keep an editor's word on an article's themes, by theme; the article before and after.

    Only the themes ruled on change: what else a new lexicon would say waits for `apply`. Call inside
    a write.

    Raises:
        NotFoundError: there is no such article or theme.
    """
    db, settings, lexicon = newsroom.db, newsroom.settings, lexicon_of(newsroom.settings.themes)
    article = find_article(db, article_id)
    for theme in words:
        if theme not in settings.theme_keys:
            known = ", ".join(settings.theme_keys)
            raise NotFoundError(f"there is no theme {theme!r}; config.toml has {known}")
    begin_filing(db, settings, lexicon)
    for theme, verdict in words.items():
        rule_theme(db, article_id, theme, verdict, by, moment)
    _file_themes(db, lexicon, article, set(words))
    return article, find_article(db, article_id)


def take_back(newsroom: Newsroom, article_id: int) -> tuple[Article, Article]:
    """Give an article's themes back to the classifier; the article before and after.

    Call inside a write.

    Raises:
        NotFoundError: there is no such article.
    """
    db, settings, lexicon = newsroom.db, newsroom.settings, lexicon_of(newsroom.settings.themes)
    article = find_article(db, article_id)
    begin_filing(db, settings, lexicon)
    touched = set(theme_corrections(db, article_id))
    forget_theme_corrections(db, article_id)
    _file_themes(db, lexicon, article, touched)
    return article, find_article(db, article_id)


def corrections(newsroom: Newsroom) -> list[LabelledItem]:
    """Every article on which an editor ruled, as a labelled item: the themes that were added are
    right, those that were removed are wrong, and on the others nobody spoke: they count neither way.
    """
    db, lexicon = newsroom.db, lexicon_of(newsroom.settings.themes)
    items: list[LabelledItem] = []
    ids = ruled_articles(db)
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        said = theme_corrections_of(db, batch)
        for article in articles_by_id(db, batch):
            words = said[article.id]
            added = [theme for theme in words if words[theme].verdict is Verdict.ADD]
            silent = [theme for theme, _ in lexicon.themes if theme not in words]
            items.append(
                LabelledItem(
                    str(article.id),
                    article.language,
                    article.title,
                    article.text,
                    tuple(added),
                    tuple(silent),
                )
            )
    return items


def find_article(db: Database, article_id: int) -> Article:
    """
    Raises:
        NotFoundError: there is no such article.
    """
    found = articles_by_id(db, [article_id])
    if not found:
        raise NotFoundError(f"there is no article {article_id}; see `digest articles list`")
    return found[0]


def _judge(
    lexicon: Lexicon, article: Article, said: Mapping[str, Correction]
) -> tuple[tuple[ThemeScore, ...], tuple[Match, ...]]:
    scores = classify(lexicon, title=article.title, text=article.text, language=article.language)
    found = matches(scores, lexicon.version)
    return scores, overrule(found, scores, said, lexicon.version)


def _file_themes(db: Database, lexicon: Lexicon, article: Article, touched: set[str]) -> None:
    """File the article under the touched themes anew, and leave the others as they are."""
    if not touched:
        return
    scores = classify(lexicon, title=article.title, text=article.text, language=article.language)
    found = [one for one in matches(scores, lexicon.version) if one.theme in touched]
    found += [one for one in article.matches if one.by == LEXICON and one.theme not in touched]
    said = theme_corrections(db, article.id)
    ordered = in_order(found, [theme for theme, _ in lexicon.themes])
    save_matches(db, article.id, overrule(ordered, scores, said, lexicon.version))


@dataclass
class _Desk:
    """Holds a lexicon against stored articles and leaves what it finds in the spool."""

    db: Database
    lexicon: Lexicon
    _known: dict[str | None, tuple[dict[str, float], Terms] | None] = field(default_factory=dict)

    def look(self, ids: Sequence[int], progress: Progress = iter) -> Iterator[Refiling]:
        terms = by_term(terms_of(self.lexicon))
        batches = [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]
        for batch in progress(batches):
            said = theme_corrections_of(self.db, batch)
            versions = filings.filed_by(self.db, batch)
            filed: list[tuple[int, Sequence[Match]]] = []
            for article in articles_by_id(self.db, batch):
                scores, found = _judge(self.lexicon, article, said.get(article.id, {}))
                filed.append((article.id, found))
                after = tuple(match.theme for match in found)
                if after != article.themes:
                    old = self._held(versions[article.id])
                    turned = turns(article.matches, found, scores, terms, old)
                    yield Refiling(
                        article.id, article.title, article.language, article.themes, after, turned
                    )
            filings.put_in_spool(self.db, filed)

    def _held(self, version: str | None) -> tuple[dict[str, float], Terms] | None:
        """Thresholds and terms of the lexicon of that version, where they were kept."""
        if version not in self._known:
            kept = filings.kept_lexicon(self.db, version)
            self._known[version] = None if kept is None else (kept[0], by_term(kept[1]))
        return self._known[version]
