"""Drafts: what an editor decides about an edition whose window is closed, and its approval.

    draft -> composed (approved by its hash: frozen, deliveries queued) -> sent
      |----> held (nobody approved it within its hours), until it is approved or cancelled

A draft is read from its window again each time it is looked at, so a correction or a withdrawal is in
it; its hash says whether what is approved is what was seen.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from digest.config.settings import DigestConfig
from digest.editions import store as edition_store
from digest.editions.compose import (
    Expected,
    choices_of,
    edition_of,
    find_digest,
    frozen_for,
    mark_of,
    queue,
    rehashed,
)
from digest.errors import ExpectationError, NotFoundError, NotReadyError
from digest.language.text import foreign
from digest.model import Edition, EditionStatus, Hand
from digest.newsroom import Newsroom

LONGEST_NOTE = 1_000
_BLOCKS = re.compile(r"\n[ \t]*\n|^[ \t]*(#|>|[-*+] |\d+[.)] |```)|!\[", re.MULTILINE)
"""What in Markdown is more than a paragraph."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What an editor changes of a draft; None and an empty tuple change nothing.

    `introduction` and `subject` are pairs of language and text, "" removes it. `drop` leaves articles
    out for good, `postpone` until the next edition, `restore` takes either back. `lead` 0 is ours again.
    """

    introduction: tuple[tuple[str, str], ...] = ()
    subject: tuple[tuple[str, str], ...] = ()
    lead: int | None = None
    order: tuple[int, ...] | None = None
    drop: tuple[int, ...] = ()
    postpone: tuple[int, ...] = ()
    restore: tuple[int, ...] = ()


def draft_of(newsroom: Newsroom, edition_id: int) -> tuple[DigestConfig, Edition]:
    """A draft as it would be approved now, with its digest.

    Raises:
        NotFoundError: there is no such edition, or config.toml has no such digest any more.
        NotReadyError: it was approved or cancelled.
    """
    stored = edition_store.edition_by_id(newsroom.db, edition_id)
    if edition_store.draft_row(newsroom.db, edition_id) is None:
        raise NotReadyError(
            f"edition {edition_id} is no draft: it is {stored.status}. See digest editions list.",
            key="over",
        )
    digest = find_digest(newsroom.settings, stored.digest)
    edition = edition_of(newsroom, digest, stored.window, draft=stored)
    return digest, replace(edition, status=stored.status)


def edit_draft(newsroom: Newsroom, edition_id: int, edit: Edit, by: str) -> Edition:
    """Change what an editor decided about a draft; returns it as it is now.

    Raises:
        NotFoundError: an article is not in the draft, or a language not in its digest.
        NotReadyError: it is no draft.
    """
    db = newsroom.db
    while True:
        version = db.version()
        digest, before = draft_of(newsroom, edition_id)
        hand = _changed(newsroom, digest, before, edit)
        after = edition_of(newsroom, digest, before.window, draft=replace(before, hand=hand))
        with db.write():
            if db.version() != version:  # another editor, or news of its articles
                continue
            edition_store.save_draft(db, after, by, newsroom.now())
        return after


def _changed(newsroom: Newsroom, digest: DigestConfig, draft: Edition, edit: Edit) -> Hand:
    hand, languages = draft.hand, newsroom.settings.digest_languages(digest)
    for language, _ in (*edit.introduction, *edit.subject):
        if language not in languages:
            raise NotFoundError(
                f"--language {language!r}: {digest.name} has {', '.join(languages)}. Nothing was changed."
            )
    there = {one.article.id for one in draft.placements}
    lead = (edit.lead,) if edit.lead else ()
    for ids, known, place in (
        ((*lead, *(edit.order or ()), *edit.drop, *edit.postpone), there, "in edition"),
        (edit.restore, set(hand.left_out), "left out of edition"),
    ):
        if unknown := [str(one) for one in ids if one not in known]:
            raise NotFoundError(
                f"article {', '.join(unknown)} is not {place} {draft.id}. Nothing was changed. See "
                f"digest editions show {draft.id}."
            )

    def merged(before: dict[str, str], texts: Sequence[tuple[str, str]]) -> dict[str, str]:
        return {code: text for code, text in (before | dict(texts)).items() if text}

    if sent := edition_store.carried_since(newsroom.db, draft, edit.restore):
        raise NotReadyError(
            f"article {', '.join(map(str, sent))} is in a later edition by now. Nothing was changed."
        )
    notes = [
        (code, foreign(text, lines=True, limit=None).strip()) for code, text in edit.introduction
    ]
    subjects = [(code, foreign(text, limit=None)) for code, text in edit.subject]
    for option, texts, most in (("introduction", notes, LONGEST_NOTE), ("subject", subjects, 200)):
        for _, text in texts:
            what, key = f"has {len(text):,} characters", "long"
            if option == "introduction" and (more := _BLOCKS.search(text)):
                picture = more[0] == "!["
                what = "has a picture" if picture else "has more than a paragraph"
                key = "picture" if picture else "blocks"
            elif len(text) <= most:
                continue
            raise NotReadyError(
                f"--{option}: must be one paragraph of at most {most:,} characters, without headings, "
                f"lists and pictures, and {what}. Nothing was changed.",
                key=key,
                most=most,
            )
    out = [one for one in (*hand.left_out, *edit.drop, *edit.postpone) if one not in edit.restore]
    later = [
        one for one in (*hand.carried, *edit.postpone) if one not in (*edit.restore, *edit.drop)
    ]
    return Hand(
        introduction=merged(dict(hand.introduction), notes),
        subject=merged(dict(hand.subject), subjects),
        lead=hand.lead if edit.lead is None else edit.lead or None,
        order=hand.order if edit.order is None else edit.order,
        left_out=tuple(dict.fromkeys(out)),
        carried=tuple(dict.fromkeys(later)),
    )


def approve(newsroom: Newsroom, edition_id: int, expected: Expected, by: str) -> Edition:
    """Freeze a draft, and queue its deliveries for those who are recipients now.

    Raises:
        ExpectationError: it is not the edition that was seen.
        NotReadyError: it is no draft, or `by` edited it and its digest asks for a second person.
    """
    db, moment = newsroom.db, newsroom.now()
    while True:
        version, row = db.version(), edition_store.draft_row(db, edition_id)
        digest, draft = draft_of(newsroom, edition_id)
        if not expected.means(draft):
            raise ExpectationError(
                f"expected the edition {expected.hash}, but now it is {draft.hash}. What has changed: "
                f"{expected.changed(draft)}. Nothing was approved. Next: digest send --dry-run.",
                key="stale",
            )
        editor = (row or {}).get("edited_by") or ""
        if digest.second_person and by.casefold() == editor.casefold():
            raise NotReadyError(
                f"edition {edition_id} was edited last by {by}: {digest.name} needs a second person to "
                "approve it (second_person in config.toml). Nothing was approved.",
                key="second",
            )
        edition = replace(draft, status=EditionStatus.COMPOSED)
        mark = mark_of(newsroom, digest, edition.window, edition.number)
        readers = list(choices_of(newsroom, digest))
        recipients, frozen = frozen_for(newsroom, digest, edition, readers)
        with db.write():
            if db.version() != version and (
                edition_store.draft_row(db, edition_id) != row
                or mark_of(newsroom, digest, edition.window, edition.number) != mark
                or list(choices_of(newsroom, digest)) != readers
                or rehashed(newsroom, digest, edition, recipients) != edition
            ):
                continue
            edition_store.replace_frozen(db, edition, {})
            edition_store.approve_edition(db, edition_id, by, moment)
            queue(db, edition, recipients, frozen, moment)
        return edition
