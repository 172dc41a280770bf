"""Files articles under their themes: as they come in, again by a changed lexicon, and as an editor decides."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from digest.config.settings import Settings
from digest.errors import NotFoundError
from digest.model import Article, Correction, Entry, Hit, Match, ThemeScore, Verdict
from digest.newsroom import Newsroom
from digest.store.articles import articles_by_id, find_article
from digest.store.database import Database
from digest.themes import store as filings
from digest.themes.classify import classify, matches
from digest.themes.evaluation import LabelledItem
from digest.themes.lexicon import SIGNS, Lexicon, lexicon_of
from digest.themes.store import (
    corrected_articles,
    forget_theme_corrections,
    rule_theme,
    save_matches,
    save_themes,
    theme_corrections,
    theme_corrections_of,
)

BATCH = 200
"""Articles in memory at once."""
SHOWN = 6
"""At most this many terms are named in one reason."""
LEXICON = "lexicon"
EDITOR = "editor"
"""Who filed an article under a theme: `Match.by`."""
Progress = Callable[[Sequence[Sequence[int]]], Iterable[Sequence[int]]]
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
    """An article whose themes, or their order, change with another lexicon; best theme first."""

    article_id: int
    title: str
    language: str
    before: tuple[str, ...]
    after: tuple[str, ...]
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Refiled:
    """What another lexicon changes: how many articles it was tried on, and those it files otherwise."""

    looked_at: int
    changes: tuple[Refiling, ...]


def begin_filing(db: Database, settings: Settings, lexicon: Lexicon) -> None:
    """Save what matches refer to: the themes of config.toml, and the lexicon. Call inside a write."""
    names = [settings.theme_names[key] for key in settings.theme_keys]
    save_themes(db, names, settings.site.languages[0])
    filings.save_lexicon(db, lexicon.version, lexicon.themes, _terms_of(lexicon))


def file_article(
    db: Database, lexicon: Lexicon, article_id: int, scores: Sequence[ThemeScore]
) -> None:
    """File an article under its themes by these scores; an editor's decision stays."""
    filed = matches(scores, lexicon.version)
    filed = overrule(filed, scores, theme_corrections(db, article_id), lexicon.version)
    filings.save_filing(db, article_id, filed, lexicon.version)


def rehearse(
    newsroom: Newsroom, since: datetime | None = None, *, progress: Progress = iter
) -> Refiled:
    """What `apply` would do to the articles that came in since then. Call inside filings.spool.

    Afterwards filings.supposing shows the store as it would be; the database stays as it is.
    """
    db, lexicon = newsroom.db, lexicon_of(newsroom.settings.themes)
    ids = filings.filed_otherwise(db, lexicon.version, since)
    return Refiled(len(ids), tuple(_refile(db, lexicon, ids, progress)))


def apply(
    newsroom: Newsroom, since: datetime | None = None, *, progress: Progress = iter
) -> Refiled:
    """File by this lexicon the articles that came in since then and that another lexicon filed.

    The classifier works first, then short writes store everything. What another process changed in the
    meantime is classified again. After a crash the next call does the rest.
    """
    db, settings, lexicon = newsroom.db, newsroom.settings, lexicon_of(newsroom.settings.themes)
    with filings.spool(db):
        done = rehearse(newsroom, since, progress=progress)
        changes = {change.article_id: change for change in done.changes}
        ids = filings.spooled(db)
        while ids:
            late: list[int] = []
            for start in range(0, len(ids), BATCH):
                batch = ids[start : start + BATCH]
                with db.write():
                    begin_filing(db, settings, lexicon)
                    changed = filings.changed_since_spooled(db, batch)
                    filings.save_spool(db, lexicon.version, sorted({*batch} - {*changed}))
                late += changed
            for article_id in late:
                changes.pop(article_id, None)
            changes |= {one.article_id: one for one in _refile(db, lexicon, late)}
            ids = late
    return Refiled(done.looked_at, tuple(changes[i] for i in sorted(changes)))


def _refile(
    db: Database, lexicon: Lexicon, ids: Sequence[int], progress: Progress = iter
) -> Iterator[Refiling]:
    """Put these articles into the spool as the lexicon files them; those whose themes change."""
    terms = _by_term(_terms_of(lexicon))
    lexicons: dict[str | None, tuple[dict[str, float], Terms] | None] = {}
    for batch in progress([ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]):
        corrections = theme_corrections_of(db, batch)
        versions = filings.filed_by(db, batch)
        filed: list[tuple[int, Sequence[Match]]] = []
        for article in articles_by_id(db, batch):
            scores, after = _judge(lexicon, article, corrections.get(article.id, {}))
            filed.append((article.id, after))
            keys = tuple(match.theme for match in after)
            if keys == article.themes:
                continue
            version = versions[article.id]
            if version not in lexicons:
                stored = filings.load_lexicon(db, version)
                lexicons[version] = None if stored is None else (stored[0], _by_term(stored[1]))
            turns = tuple(_turns(article.matches, after, scores, terms, lexicons[version]))
            yield Refiling(article.id, article.title, article.language, article.themes, keys, turns)
        filings.put_in_spool(db, filed)


def _turns(
    before: Sequence[Match],
    after: Sequence[Match],
    scores: Sequence[ThemeScore],
    terms: Terms,
    old: tuple[Mapping[str, float], Terms] | None,
) -> Iterator[Turn]:
    """The themes that an article enters, best first, then those that it leaves.

    `old` are the thresholds and terms of the lexicon that filed it, None where they are not known.
    """
    by_theme = {score.theme: score for score in scores}
    themes_before, themes_after = ({match.theme for match in some} for some in (before, after))
    for theme in (match.theme for match in after if match.theme not in themes_before):
        score = by_theme[theme]
        weights = _weights(score.hits)
        reasons: list[str] = []
        if old is not None:
            thresholds, known = old
            new = {term: w for term, w in weights.items() if (theme, term) not in known}
            other = {
                term: weight
                for term, weight in weights.items()
                if term not in new and known[theme, term] != terms.get((theme, term))
            }
            reasons = [*_listed("now counts", new), *_listed("counts differently", other)]
            if thresholds.get(theme, 0.0) > score.threshold:
                reasons.append(f"threshold {score.threshold:.2f}, was {thresholds[theme]:.2f}")
        reasons = reasons or _listed("counts", weights)
        yield Turn(theme, True, score.score, score.threshold, tuple(reasons))
    for match in before:
        if match.theme in themes_after:
            continue
        if match.theme not in by_theme:
            yield Turn(match.theme, False, None, None, ("config.toml no longer has this theme",))
            continue
        score = by_theme[match.theme]
        was, now = _weights(match.hits), _weights(score.hits)
        changes = {term: now.get(term, 0.0) - weight for term, weight in was.items()}
        known_blots = {hit.term for hit in match.blotted}
        reasons = [
            *_listed("no longer counts", {t: c for t, c in changes.items() if t not in now}),
            *_listed("counts less", {t: c for t, c in changes.items() if t in now and c < -0.005}),
            *_listed(
                "now ignores", {h.term: None for h in score.blotted if h.term not in known_blots}
            ),
        ]
        if score.threshold > match.threshold:
            reasons.append(f"threshold {score.threshold:.2f}, was {match.threshold:.2f}")
        yield Turn(match.theme, False, score.score, score.threshold, tuple(reasons))


def _terms_of(lexicon: Lexicon) -> Iterator[tuple[str, str, str, float]]:
    """The terms of a lexicon: theme, term as written, role and weight."""
    for term in lexicon.terms:
        if term.role not in SIGNS:
            yield lexicon.themes[term.theme][0], term.written, term.role.value, term.weight


def _by_term(terms: Iterable[tuple[str, str, str, float]]) -> Terms:
    by_term: dict[tuple[str, str], frozenset[tuple[str, float]]] = {}
    for theme, written, role, weight in terms:
        by_term[theme, written] = by_term.get((theme, written), frozenset()) | {(role, weight)}
    return by_term


def _weights(hits: Iterable[Hit]) -> dict[str, float]:
    """What each term adds to the score, the most first."""
    weights: dict[str, float] = {}
    for hit in hits:
        weights[hit.term] = weights.get(hit.term, 0.0) + hit.weight
    return {
        term: weights[term] for term in sorted(weights, key=lambda t: -weights[t]) if weights[term]
    }


def _listed(what: str, terms: Mapping[str, float | None]) -> list[str]:
    """One reason that names these terms, each with its weight if it has one; none without terms."""
    shown = [f"“{term}”" + ("" if w is None else f" {w:+.2f}") for term, w in terms.items()]
    more = f" and {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return [f"{what} {', '.join(shown[:SHOWN])}{more}"] if shown else []


def rule(
    newsroom: Newsroom, article_id: int, words: Mapping[str, Verdict], *, by: str, moment: datetime
) -> tuple[Article, Article]:
    """Save an editor's decisions on an article, by theme; the article before and after.

    Only these themes change: what a new lexicon would change in the others waits for `apply`.

    Raises:
        NotFoundError: there is no such article or theme.
    """
    settings = newsroom.settings
    for theme in words:
        if theme not in settings.theme_keys:
            known = ", ".join(settings.theme_keys)
            raise NotFoundError(f"there is no theme {theme!r}; config.toml has {known}")

    return _correct(newsroom, article_id, [(theme, words[theme], by, moment) for theme in words])


def take_back(newsroom: Newsroom, article_id: int) -> tuple[Article, Article]:
    """Leave an article's themes to the classifier again; the article before and after.

    Raises:
        NotFoundError: there is no such article.
    """
    return _correct(newsroom, article_id, None)


def _correct(
    newsroom: Newsroom,
    article_id: int,
    rulings: Sequence[tuple[str, Verdict, str, datetime]] | None,
) -> tuple[Article, Article]:
    """Save these rulings, or delete all, and file the article under their themes, in one write.

    The classifier works before it, and again if the article was revised meanwhile.
    """
    db, settings, lexicon = newsroom.db, newsroom.settings, lexicon_of(newsroom.settings.themes)
    while True:
        read = find_article(db, article_id)
        scores = scores_of(lexicon, read)
        with db.write():
            article = find_article(db, article_id)
            if article.version != read.version:
                continue
            begin_filing(db, settings, lexicon)
            themes = {theme for theme, *_ in rulings or theme_corrections(db, article_id).items()}
            for ruling in rulings or ():
                rule_theme(db, article_id, *ruling)
            if rulings is None:
                forget_theme_corrections(db, article_id)
            if themes:
                filed = [one for one in matches(scores, lexicon.version) if one.theme in themes]
                filed += [o for o in article.matches if o.by == LEXICON and o.theme not in themes]
                ordered = in_order(filed, [theme for theme, _ in lexicon.themes])
                corrected = theme_corrections(db, article_id)
                save_matches(db, article_id, overrule(ordered, scores, corrected, lexicon.version))
            return article, find_article(db, article_id)


def scores_of(lexicon: Lexicon, copy: Article | Entry) -> tuple[ThemeScore, ...]:
    """The classifier's score for every theme."""
    return classify(lexicon, title=copy.title, text=copy.text, language=copy.language)


def _judge(
    lexicon: Lexicon, article: Article, corrections: Mapping[str, Correction]
) -> tuple[tuple[ThemeScore, ...], tuple[Match, ...]]:
    """The classifier's scores, and the themes of the article after the editors' corrections."""
    scores = scores_of(lexicon, article)
    filed = matches(scores, lexicon.version)
    return scores, overrule(filed, scores, corrections, lexicon.version)


def overrule(
    filed: Iterable[Match],
    scores: Iterable[ThemeScore],
    corrections: Mapping[str, Correction],
    version: str,
) -> tuple[Match, ...]:
    """The themes that an editor added, best first, then the classifier's that no editor ruled on.

    An added theme has the classifier's hits and score, raised to the threshold: so the sum of the
    hits shows what the classifier alone would say. A theme without a score is not in config.toml any
    more and is left out.
    """
    added = [
        Match(s.theme, max(s.score, s.threshold), s.threshold, EDITOR, version, s.hits, s.blotted)
        for s in scores
        if s.theme in corrections and corrections[s.theme].verdict is Verdict.ADD
    ]
    added.sort(key=lambda match: -match.score / match.threshold)
    return (*added, *(match for match in filed if match.theme not in corrections))


def in_order(filed: Iterable[Match], themes: Sequence[str]) -> list[Match]:
    """Matches in the classifier's order: the best first, equal ones in the order of config.toml."""
    places = {theme: place for place, theme in enumerate(themes)}
    return sorted(
        filed,
        key=lambda match: (-match.score / match.threshold, places.get(match.theme, len(places))),
    )


def corrections(newsroom: Newsroom) -> list[LabelledItem]:
    """Every article that an editor corrected, as a labelled item.

    Added themes are right, removed ones wrong; the others, which no editor ruled on, count neither
    way.
    """
    db, lexicon = newsroom.db, lexicon_of(newsroom.settings.themes)
    items: list[LabelledItem] = []
    ids = corrected_articles(db)
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        by_article = theme_corrections_of(db, batch)
        for article in articles_by_id(db, batch):
            rulings = by_article[article.id]
            added = tuple(key for key in rulings if rulings[key].verdict is Verdict.ADD)
            others = tuple(key for key, _ in lexicon.themes if key not in rulings)
            items.append(
                LabelledItem(
                    str(article.id), article.language, article.title, article.text, added, others
                )
            )
    return items
