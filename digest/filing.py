"""Files articles under their themes: one by one as they come in, anew by another lexicon, or as an
editor says.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from digest.config.settings import Settings
from digest.editorial.evaluation import LabelledItem
from digest.editorial.lexicon import Lexicon
from digest.editorial.refiling import Refiling, Terms, by_term, terms_of, turns
from digest.editorial.rulings import LEXICON, in_order, overrule
from digest.editorial.themes import classify, matches
from digest.errors import NotFoundError
from digest.model import Article, Match, Ruling, ThemeScore, Verdict
from digest.store import filings, intake, rulings
from digest.store.articles import articles_by_id
from digest.store.database import Database

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
    intake.save_themes(db, names, settings.site.languages[0])
    filings.keep_lexicon(db, lexicon.version, lexicon.themes, terms_of(lexicon))


def file_article(db: Database, lexicon: Lexicon, article: Article) -> None:
    """File an article under its themes by this lexicon; an editor's word on it stands."""
    said = rulings.theme_rulings(db, article.id)
    _, found = _judge(lexicon, article, said)
    filings.save_filing(db, article.id, found, lexicon.version)


def rehearse(
    db: Database, lexicon: Lexicon, since: datetime | None = None, *, progress: Progress = iter
) -> Refiled:
    """What `apply` would do to the articles that came in since then. Call inside filings.spool.

    Afterwards filings.supposing shows the store as it would be; the database stays as it is.
    """
    ids = filings.filed_otherwise(db, lexicon.version, since)
    return Refiled(len(ids), tuple(_Desk(db, lexicon).look(ids, progress)))


def apply(
    db: Database,
    settings: Settings,
    lexicon: Lexicon,
    since: datetime | None = None,
    *,
    progress: Progress = iter,
) -> Refiled:
    """File the articles that came in since then, and that another lexicon filed, by this one.

    It is all done in one write, which is short: the classifier works before it. What somebody else
    changed in the meantime is looked at again.
    """
    with filings.spool(db):
        done = rehearse(db, lexicon, since, progress=progress)
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
    db: Database,
    settings: Settings,
    lexicon: Lexicon,
    article_id: int,
    words: Mapping[str, Verdict],
    *,
    by: str,
    moment: datetime,
) -> tuple[Article, Article]:
    """Keep an editor's word on an article's themes, by theme; the article before and after.

    Only the themes ruled on change: what else a new lexicon would say waits for `apply`. Call inside
    a write.

    Raises:
        NotFoundError: there is no such article or theme.
    """
    article = find_article(db, article_id)
    for theme in words:
        if theme not in settings.theme_keys:
            known = ", ".join(settings.theme_keys)
            raise NotFoundError(f"there is no theme {theme!r}; config.toml has {known}")
    begin_filing(db, settings, lexicon)
    for theme, verdict in words.items():
        rulings.rule_theme(db, article_id, theme, verdict, by, moment)
    _file_themes(db, lexicon, article, set(words))
    return article, find_article(db, article_id)


def take_back(
    db: Database, settings: Settings, lexicon: Lexicon, article_id: int
) -> tuple[Article, Article]:
    """Give an article's themes back to the classifier; the article before and after.

    Call inside a write.

    Raises:
        NotFoundError: there is no such article.
    """
    article = find_article(db, article_id)
    begin_filing(db, settings, lexicon)
    touched = set(rulings.theme_rulings(db, article_id))
    rulings.forget_theme_rulings(db, article_id)
    _file_themes(db, lexicon, article, touched)
    return article, find_article(db, article_id)


def corrections(db: Database, lexicon: Lexicon) -> list[LabelledItem]:
    """Every article on which an editor ruled, as a labelled item: the themes that were added are
    right, those that were removed are wrong, and on the others nobody spoke: they count neither way.
    """
    items: list[LabelledItem] = []
    ids = rulings.ruled_articles(db)
    for start in range(0, len(ids), BATCH):
        batch = ids[start : start + BATCH]
        said = rulings.theme_rulings_of(db, batch)
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
    lexicon: Lexicon, article: Article, said: Mapping[str, Ruling]
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
    said = rulings.theme_rulings(db, article.id)
    ordered = in_order(found, [theme for theme, _ in lexicon.themes])
    intake.save_matches(db, article.id, overrule(ordered, scores, said, lexicon.version))


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
            said = rulings.theme_rulings_of(self.db, batch)
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
