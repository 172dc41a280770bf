"""`digest send`: show what would go to whom, and send it after a yes."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digest.cli.options import COUNT, current_newsroom, out_option
from digest.cli.output import (
    counted,
    counter,
    emit_json,
    fault,
    heading,
    json_option,
    local,
    show,
    table,
    warn,
)
from digest.errors import ExpectationError, NotReadyError

if TYPE_CHECKING:
    from digest.config.settings import DigestConfig
    from digest.editions.compose import Expected
    from digest.editions.deliver import EditionReport, Portion
    from digest.editions.store import FrozenSegment
    from digest.mail.outgoing import Outcome, OutcomeKind
    from digest.model import Choice, Edition, Preview, Segment
    from digest.newsroom import Newsroom


@dataclass(frozen=True, slots=True)
class Planned:
    """An edition that would be sent now with this date, and to whom. `frozen` is what each choice gets
    of one that was composed before, None for a new one."""

    edition: Edition
    segments: tuple[Segment, ...]
    date: datetime
    frozen: Mapping[Choice, FrozenSegment] | None = None

    @property
    def is_draft(self) -> bool:
        """Whether it waits for an approval: it is shown, and not sent."""
        return self.frozen is None and self.edition.id is not None

    @property
    def recipients(self) -> int:
        return sum(segment.recipients for segment in self.segments)


def plan(
    newsroom: Newsroom,
    config: DigestConfig,
    expect: Expected | None = None,
    *,
    drafts: bool = False,
) -> list[Planned]:
    """What `digest send` would send: what is still queued, the oldest first, then what is new; with
    `expect` that edition alone. `drafts` adds those that wait for an approval. What a dead sender left
    counts as it will be settled, and an edition of which an article was withdrawn as it will be frozen again.
    """
    from digest.editions.compose import is_worth_sending, preview, segments, without_withdrawn
    from digest.editions.corrections import newest
    from digest.editions.deliver import fates_of_handed
    from digest.editions.drafts import draft_of
    from digest.editions.store import drafts as waiting_drafts
    from digest.editions.store import (
        edition_by_id,
        frozen_segments,
        has_begun,
        has_outdated,
        mail_date,
        pending_editions,
        queued_segments,
        stopped_by_withdrawal,
    )
    from digest.mail.outgoing import OutcomeKind
    from digest.store.owner import is_sending

    db, now = newsroom.db, newsroom.now()
    again: list[int] = []
    if (fates := fates_of_handed(newsroom)) and not is_sending(newsroom.settings.store.path):
        again = [i for i, fate in fates.items() if fate is OutcomeKind.UNSENT]
        warn(
            f"{counted(len(fates), 'delivery was', 'deliveries were')} handed over by a sender that "
            f"died before the answer. digest send first settles them: {len(again):,} will be sent, "
            "the others were sent or are uncertain."
        )
    at = now if expect is None or expect.at is None else expect.at
    planned: list[Planned] = []
    for edition_id in pending_editions(db, digest=config.name, now=now, also=again):
        edition = edition_by_id(db, edition_id)
        audience = tuple(queued_segments(db, edition_id, now, also=again))
        date = mail_date(db, edition, at)
        stopped, begun = stopped_by_withdrawal(db, edition_id), has_begun(db, edition_id)
        if not stopped and (begun or not has_outdated(db, edition_id)):
            frozen = {one.layout.choice: one for one in frozen_segments(db, edition).values()}
            planned.append(Planned(edition, audience, date, frozen))
        elif begun:
            warn(
                f"Edition {edition_id} will be held: an article of it was withdrawn after part of it "
                f"was sent. Next: digest send, then digest editions release {edition_id}."
            )
        else:
            new = without_withdrawn(newsroom, config, edition)
            audience = tuple(replace(one, choice=newest(db, one.choice)) for one in audience)
            if new.placements or config.empty == "send":
                planned.append(Planned(new, audience, date, {}))
    for row in waiting_drafts(db) if drafts else ():
        if row["digest"] == config.name:
            _, edition = draft_of(newsroom, row["id"])
            audience = tuple(segments(newsroom, config, edition.window))
            planned.append(Planned(edition, audience, mail_date(db, edition, at)))
    fresh = preview(newsroom, config, now, expect=expect)
    if fresh is not None and is_worth_sending(newsroom, config, fresh, now):
        audience = tuple(segments(newsroom, config, fresh.window))
        planned.append(Planned(fresh, audience, fresh.window.ends_at))
    if expect is None:
        return planned
    if matching := [one for one in planned if expect.means(one.edition)]:
        return matching
    changes = "".join(
        f" Edition no. {one.edition.number} is now {one.edition.hash}: what has changed is "
        f"{expect.changed(one.edition)}."
        for one in planned
    )
    waits = what_waits(newsroom, config)
    raise ExpectationError(
        f"no edition with the hash {expect.hash} is new or has mail to send.{changes}{waits} Nothing "
        "was sent. Next: digest send --dry-run."
    )


def send_editions(
    newsroom: Newsroom,
    config: DigestConfig,
    *,
    expect: Expected | None,
    shown: Sequence[Planned] | None,
    portion: Portion,
    notify: Callable[[OutcomeKind], None],
) -> list[EditionReport]:
    """Compose what is new, and deliver it and what was still queued, as the only sender.

    `shown` is what a person has agreed to: no other edition is composed or sent. None: whatever is
    new. `notify` is called with the outcome of each delivery.

    Raises:
        SenderError: another process sends, or the database may not send from here.
        ExpectationError: the edition is not the one expected.
    """
    from digest.editions.compose import Expected, compose_now, settle_withdrawn
    from digest.editions.deliver import deliver, sending
    from digest.editions.store import edition_by_id, pending_editions

    with sending(newsroom) as newsroom, stopping() as stop:
        settle_withdrawn(newsroom)
        db, only = newsroom.db, None
        if expect is not None:
            pending = pending_editions(db, digest=config.name, now=newsroom.now())
            matching = (i for i in pending if expect.means(edition_by_id(db, i)))
            only = {i} if (i := next(matching, None)) is not None else None
        if only is None:
            fresh = next((one.edition for one in shown or () if one.frozen is None), None)
            chosen = [one.edition for one in shown or () if one.frozen is not None]
            if shown is None or fresh is not None:
                exact = Expected(fresh.hash, fresh.window.ends_at) if fresh is not None else None
                composed = compose_now(newsroom, config, expect=expect or exact)
                chosen += [composed] if composed is not None else []
            if any(edition_by_id(db, one.id).hash != one.hash for one in chosen if one.id):
                raise ExpectationError(
                    "an article was withdrawn or corrected since this was shown. Nothing was sent. Next: digest "
                    "send --dry-run."
                )
            if expect is not None or shown is not None:
                only = {one.id for one in chosen if one.id is not None}
        return deliver(
            newsroom,
            editions=only,
            digest=config.name,
            portion=portion,
            date=None if expect is None else expect.at,
            stop=stop,
            notify=notify,
        )


@contextlib.contextmanager
def stopping() -> Iterator[Callable[[], bool]]:
    """Within it, Ctrl-C and SIGTERM ask to stop: nothing new starts, what is under way is finished."""
    asked = False

    def ask(number: int, frame: object) -> None:
        nonlocal asked
        if not asked:
            click.echo("Stopping: what is under way is finished, the rest stays queued.", err=True)
        asked = True

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _to_test(newsroom: Newsroom, config: DigestConfig) -> tuple[Planned, str]:
    """What a test mail shows when nothing is to be sent, and that in words."""
    from digest.editions.store import edition_by_id, frozen_segments, list_editions

    with newsroom.open(read_only=True) as newsroom:
        if last := list_editions(newsroom.db, digest=config.name, limit=1):
            edition = edition_by_id(newsroom.db, last[0]["id"])
            which = f"the last edition, no. {edition.number}, as nothing is to be sent"
            frozen = {
                one.layout.choice: one for one in frozen_segments(newsroom.db, edition).values()
            }
            return Planned(edition, (), newsroom.now(), frozen), which
    from digest.service.doctor import sample_edition  # slow to load, and seldom needed

    sample = sample_edition(newsroom.settings, config, newsroom.now())
    return Planned(sample, (), newsroom.now()), "a sample, as there is no edition"


TEST_SECONDS = 60.0
"""A test mail is given up after this time, whatever the servers do."""


def send_test(newsroom: Newsroom, config: DigestConfig, planned: Planned, address: str) -> None:
    """Send the mail of the largest segment to one address; no delivery is recorded.

    Its unsubscribe links have example tokens, so that a test ends nobody's subscription.

    Raises:
        NotReadyError: the mail was not accepted; it has what the server said.
    """
    from digest.editions.preview import everything, shown_mail
    from digest.mail.ledger import answer_text, without_addresses
    from digest.mail.mime import MessageMaker
    from digest.mail.outgoing import OutcomeKind, Outgoing
    from digest.mail.tokens import EXAMPLE_TOKENS, return_path

    edition, frozen = planned.edition, planned.frozen or {}
    choice = (
        planned.segments[0].choice
        if planned.segments
        else next(iter(frozen), everything(newsroom.settings, config))
    )
    _, mail = shown_mail(newsroom, config, edition, choice, frozen)
    maker = MessageMaker(mail, planned.date, newsroom.signer)
    message = Outgoing(
        0,  # no delivery has this id
        return_path(newsroom.settings, EXAMPLE_TOKENS.server),
        address,
        maker.make(address, None, EXAMPLE_TOKENS),
    )
    outcomes: list[Outcome] = []
    report = newsroom.make_transport(within=TEST_SECONDS).deliver(
        iter([message]), handed=lambda _: None, settled=outcomes.extend, stop=lambda: False
    )
    [outcome] = outcomes
    if outcome.kind is not OutcomeKind.SENT:
        server = f"{outcome.server}: {outcome.phase}: " if outcome.server else ""
        answer = without_addresses(report.fault or server + answer_text(outcome))
        raise NotReadyError(f"the test mail was not accepted: {answer}. Next: digest doctor.")


def rehearse(
    newsroom: Newsroom,
    config: DigestConfig,
    planned: Sequence[Planned],
    out: Path,
    as_json: bool,
    waits: str,
) -> None:
    """Show what would be sent, write each segment's mail into `out`, and change nothing else."""
    from digest.editions.preview import clear_previews, preview_segments, write_parts

    if not planned:
        show(
            as_json,
            {"digest": config.name, "edition": None, "segments": [], "files": []},
            f"Nothing new has come in and nothing is due.{waits} Next: digest ingest.",
        )
        return
    clear_previews(out, config.name)
    editions: list[dict[str, Any]] = []
    files: list[Path] = []
    for one in planned:
        frozen = one.frozen or {}
        previews = preview_segments(newsroom, config, one.edition, one.segments, one.date, frozen)
        written = [path for each in previews for path in write_parts(out, each.name, each.message)]
        files += written
        if as_json:
            editions.append(_planned_data(one, previews, written))
        else:
            _print_planned(newsroom, config, one, previews)
    if as_json:
        emit_json({**editions[-1], "queued_before": editions[:-1]})
        return
    click.echo(
        f"Nothing was sent and nothing was changed. Wrote {counted(len(files), 'file')} to {out}. "
        f"Next: open {files[1]}."
    )


def _print_planned(
    newsroom: Newsroom, config: DigestConfig, planned: Planned, previews: Sequence[Preview]
) -> None:
    from digest.editions.compose import expectation
    from digest.editions.ranks import LIGHT, rank

    settings, edition, window = newsroom.settings, planned.edition, planned.edition.window
    zone = settings.digest_zone(config)
    title = f"{settings.site.title}: {edition.digest} no. {edition.number}"
    frozen = " (composed; some of it is still queued)" if planned.frozen is not None else ""
    if planned.is_draft:
        frozen = f" (draft, edition {edition.id}: not sent before it is approved)"
    elif planned.frozen is None and config.approval:
        frozen = " (becomes a draft)"
    click.echo(click.style(title, bold=True) + frozen)
    click.echo(f"window  {local(window.starts_at, zone)} to {local(window.ends_at, zone)} ({zone})")
    click.echo(f"hash    {edition.hash}")
    click.echo(f"expect  {expectation(edition, planned.date)}")
    click.echo(f"holds   {counted(len(edition.placements), 'article')}")
    if previews:  # the first one is the largest segment's
        name, language = settings.theme_name, previews[0].segment.choice.language
        ranks = rank(edition, previews[0].layout)
        order = list(ranks)
        for section in previews[0].layout.sections:
            heading(f"{name(section.theme).title(language)} ({section.total})")
            for placement in sorted(section.shown, key=lambda one: order.index(one.article.id)):
                article = placement.article
                day = article.published.day.isoformat() if article.published.day else "undated   "
                also = [name(key).title(language) for key in article.themes if key != section.theme]
                why = ranks[article.id].why
                notes = [why] if why != LIGHT else []
                notes += [f"also {', '.join(also)}"] if also else []
                notes += [f"same story: {one.id} ({one.language})" for one in placement.siblings]
                suffix = f"  ({'; '.join(notes)})" if notes else ""
                click.echo(f"  {article.id:>5}  {day}  {article.title}{suffix}")
            if section.more:
                click.echo(f"  and {section.more} more")
    heading("Segments")
    if not planned.segments:
        click.echo("No recipients yet: this is the mail that a recipient of everything would get.")
    table(
        ("recipients", "language", "themes", "articles", "corrections", "kB", "subject"),
        [
            (
                f"{one.segment.recipients:,}",
                ", ".join(one.segment.choice.languages),
                ", ".join(one.segment.choice.themes),
                str(one.layout.total),
                str(len(one.segment.choice.extras.corrected) or "-"),
                f"{len(one.message) / 1000:.1f}",
                one.subject,
            )
            for one in previews
        ],
        wide="subject",
        right=("recipients", "articles", "corrections", "kB"),
    )
    click.echo("")
    for one in previews:
        for warning in one.warnings:
            warn(f"{one.name}: {warning}")


def _planned_data(
    planned: Planned, previews: Sequence[Preview], written: Sequence[Path]
) -> dict[str, Any]:
    from digest.editions.compose import expectation
    from digest.editions.ranks import rank

    edition = planned.edition
    return {
        "digest": edition.digest,
        "number": edition.number,
        "edition": edition.id,
        "starts_at": edition.window.starts_at,
        "ends_at": edition.window.ends_at,
        "hash": edition.hash,
        "expect": expectation(edition, planned.date),
        "articles": len(edition.placements),
        "recipients": planned.recipients,
        "segments": [
            {
                "name": one.name,
                "recipients": one.segment.recipients,
                "language": one.segment.choice.language,
                "languages": list(one.segment.choice.languages),
                "themes": list(one.segment.choice.themes),
                **asdict(one.segment.choice.extras),
                "subject": one.subject,
                "bytes": len(one.message),
                "ranks": {str(key): why.why for key, why in rank(edition, one.layout).items()},
                "sections": [
                    {
                        "theme": section.theme,
                        "total": section.total,
                        "articles": [placement.article.id for placement in section.shown],
                    }
                    for section in one.layout.sections
                ],
                "warnings": list(one.warnings),
            }
            for one in previews
        ],
        "files": [str(path) for path in written],
    }


@click.command()
@click.argument("digest", required=False)
@click.option(
    "--dry-run", is_flag=True, default=False, help="Show and write the mail, send nothing."
)
@out_option
@click.option("--yes", is_flag=True, default=False, help="Send without asking.")
@click.option("--expect", metavar="HASH", help="Send the edition with this hash, or refuse.")
@click.option(
    "--test", "test_address", metavar="ADDRESS", help="Send this exact mail to one address."
)
@click.option("--limit", type=COUNT, metavar="N", help="Send at most N; the rest stays queued.")
@click.option(
    "--to",
    "addresses",
    multiple=True,
    metavar="ADDRESS",
    help="Send only to these; the rest stays queued.",
)
@click.option("--queued", is_flag=True, default=False, help="Send only what is still queued.")
@click.option(
    "--despite", multiple=True, metavar="NAME", help="Send even if digest doctor finds this wrong."
)
@json_option
@click.pass_context
def send(
    ctx: click.Context,
    digest: str | None,
    dry_run: bool,
    out: Path,
    yes: bool,
    expect: str | None,
    test_address: str | None,
    limit: int | None,
    addresses: tuple[str, ...],
    queued: bool,
    despite: tuple[str, ...],
    as_json: bool,
) -> None:
    """Send new and queued editions; --dry-run only shows them."""
    from digest.audience.signup import send_links
    from digest.audience.store import recipient_by_address
    from digest.cli.status import warn_of_unserved
    from digest.editions.alerts import look
    from digest.editions.compose import Expected, find_digest, hold_overdue
    from digest.editions.deliver import Portion, recover_for_plan, send_questions, sending
    from digest.editions.deliveries import handed_deliveries
    from digest.editions.store import drafts, stopped_by_withdrawal, unfinished_editions
    from digest.language.addresses import check_address
    from digest.mail.outgoing import OutcomeKind
    from digest.mail.store import unsent
    from digest.service.mail_checks import refuse_what_is_red
    from digest.service.store import other_languages

    newsroom = current_newsroom()
    if test_address is not None:
        test_address = check_address(test_address)
    config = find_digest(newsroom.settings, digest)
    expected = Expected.parse(expect) if expect is not None else None
    with newsroom.open(read_only=True) as newsroom:
        db = newsroom.db
        unsettled = not dry_run and (
            bool(handed_deliveries(db) or drafts(db))
            or any(stopped_by_withdrawal(db, edition_id) for edition_id in unfinished_editions(db))
        )
    if unsettled:
        with newsroom.open() as newsroom:
            hold_overdue(newsroom)
            if settled := recover_for_plan(newsroom):
                warn(
                    f"{counted(settled, 'delivery was', 'deliveries were')} left without an answer by "
                    "a sender that died, and settled now. Next: digest editions list."
                )
    with newsroom.open(read_only=True) as newsroom, newsroom.db.snapshot():
        planned = plan(newsroom, config, expected, drafts=dry_run or test_address is not None)
        if queued:
            planned = [one for one in planned if one.frozen is not None]
        waits = what_waits(newsroom, config)
        if not planned and (
            others := other_languages(newsroom.db, newsroom.settings.site.languages)
        ):
            waits += (
                f" No digest carries the articles in other languages ({', '.join(others)}): see "
                "docs/languages.md."
            )
        warn_of_unserved(newsroom)
        looks = not (queued or addresses or limit)
        alerts = look(newsroom, dry_run=True) if looks else 0
        if alerts and not (yes or test_address):
            click.echo(f"{counted(alerts, 'alert')} to readers who follow what came in.", err=True)
        if (queued_too := unsent(newsroom.db)) and not (yes or test_address):
            click.echo(f"{counted(queued_too, 'queued notice')} to readers, to go first.", err=True)
        if dry_run:
            rehearse(newsroom, config, planned, out, as_json, waits)
            return
        if test_address is not None:
            if planned:
                tested = next((one for one in planned if one.is_draft), planned[-1])
                which = f"draft {tested.edition.id}" if tested.is_draft else "what would be sent"
            else:  # a server is to be tried most when nothing can be sent
                tested, which = _to_test(newsroom, config)
            send_test(newsroom, config, tested, test_address)
            click.echo(f"Sent a test mail: {which}. No delivery was recorded. Next: digest send.")
            return
    if not planned:
        # After the clock was put back nothing is due.
        with newsroom.open(read_only=True) as newsroom:
            refuse_what_is_red(
                newsroom.db, newsroom, (*despite, "site", "store", "database", "dkim")
            )
        sent = 0
        with newsroom.open() as newsroom:
            send_links(newsroom)
            if looks:
                look(newsroom)
            if unsent(newsroom.db):
                with sending(newsroom) as sole, stopping() as stop:
                    sent = send_questions(sole, stop)[OutcomeKind.SENT]
        nothing = "Nothing is due" if queued else "Nothing new has come in and nothing is due"
        follow = "digest send --dry-run" if queued else "digest ingest"
        went = counted(sent, "notice was", "notices were") if sent else "nothing was"
        show(as_json, [], f"{nothing}: {went} sent.{waits} Next: {follow}.")
        return
    with newsroom.open(read_only=True) as newsroom:
        refuse_what_is_red(newsroom.db, newsroom, despite)
    if not yes:
        made = "new, becomes a draft" if config.approval else "new"
        for one in planned:
            click.echo(
                f"{one.edition.digest} no. {one.edition.number} "
                f"({made if one.frozen is None else 'still queued'}): "
                f"{counted(len(one.edition.placements), 'article')} to "
                f"{counted(one.recipients, 'recipient')} by {newsroom.settings.mail.transport}; "
                f"hash {one.edition.hash}"
            )
        click.confirm("Send?", abort=True)
    with newsroom.open() as newsroom:
        if looks:
            look(newsroom)
        only = frozenset(recipient_by_address(newsroom.db, one) for one in addresses) or None
        with counter("Sending") as progress:
            reports = send_editions(
                newsroom,
                config,
                expect=expected,
                shown=None if yes and not queued else planned,
                portion=Portion(limit, only),
                notify=lambda kind: progress(kind is not OutcomeKind.UNSENT),
            )
        send_links(newsroom)
        waits = what_waits(newsroom, config)
    held = any(one.fault is not None or one.brakes for one in reports)
    if as_json:
        emit_json(
            [
                {
                    "edition": one.edition_id,
                    "number": one.number,
                    "outcomes": {kind.value: count for kind, count in one.outcomes.items()},
                    "skipped": one.skipped,
                    "left": one.left,
                    "fault": one.fault,
                    "brakes": one.brakes,
                }
                for one in reports
            ]
        )
    elif not reports and config.approval:
        click.echo(f"Nothing was sent.{waits or ' Next: digest editions list.'}")
    elif not reports:
        click.echo(
            f"Nothing was left to send: no recipient gets {config.name}, or another process has sent it. "
            "Next: digest editions list, digest recipients list."
        )
    else:
        for report in reports:
            _print_report(report)
        if any(one.outcomes for one in reports) and not held:
            mail = newsroom.settings.mail
            where = f" The messages are in {mail.outbox}." if mail.transport == "maildir" else ""
            click.echo(f"Done.{where} Next: digest editions list.")
    if held:
        ctx.exit(1)


def what_waits(newsroom: Newsroom, config: DigestConfig) -> str:
    """What is queued but not sent now, or not approved, and why."""
    from digest.audience.evidence import open_brakes
    from digest.editions.compose import approve_by
    from digest.editions.drafts import draft_of
    from digest.editions.store import drafts, waiting_editions
    from digest.model import EditionStatus
    from digest.store.database import moment_from_text

    db, zone = newsroom.db, newsroom.settings.digest_zone(config)
    sentences = []
    for row in waiting_editions(db, config.name):
        queued = counted(row["queued"], "delivery", "deliveries")
        if row["status"] == EditionStatus.HELD:
            note = f": {row['note']}" if row["note"] else ""
            sentences.append(
                f" Edition {row['id']} is held with {queued} queued{note}. Next: digest editions "
                f"release {row['id']}."
            )
        elif open_brakes(db, edition_id=row["id"]):
            sentences.append(
                f" Edition {row['id']}: {queued} wait, as too many addresses came out dead at once. "
                f"Next: digest bounces confirm or discard --edition {row['id']}."
            )
        else:
            due_at = local(moment_from_text(row["due_at"]), zone)
            sentences.append(f" Edition {row['id']}: {queued} deferred, the first until {due_at}.")
    for row in drafts(db):
        if row["digest"] == config.name:
            hour = local(approve_by(newsroom, config.name, moment_from_text(row["ends_at"])), zone)
            kept = "held" if row["status"] == EditionStatus.HELD else f"to be approved by {hour}"
            _, draft = draft_of(newsroom, row["id"])
            sentences.append(
                f" Edition {draft.id} is a draft, {kept}. Next: digest editions show {draft.id}, then "
                f"digest editions approve {draft.id} --expect {draft.hash}."
            )
    return "".join(sentences)


WORDS = {
    "sent": "sent",
    "passing": "deferred",
    "dead": "to an address that does not exist",
    "full": "to a full mailbox",
    "policy": "refused by policy",
    "refused": "refused",
    "ours": "not sent because of a fault on our side",
    "unsent": "not started",
    "uncertain": "uncertain",
}


def _print_report(report: EditionReport) -> None:
    """How an edition went, and what to do next."""
    from digest.mail.outgoing import OutcomeKind

    parts = [
        f"{count:,} {words}"
        for kind, words in WORDS.items()
        if (count := report.outcomes[OutcomeKind(kind)])
    ]
    if report.skipped:
        parts.append(f"{report.skipped:,} skipped")
    click.echo(
        f"Edition {report.edition_id} ({report.digest} no. {report.number}): "
        f"{', '.join(parts) or 'nothing to send'}."
    )
    if report.fault is not None:
        fault(
            f"edition {report.edition_id} is held: {report.fault}. Its recipients stay queued. "
            f"Next: digest doctor, then digest editions release {report.edition_id}."
        )
    uncertain = report.left.get("uncertain", 0)
    if uncertain or report.outcomes[OutcomeKind.UNCERTAIN]:
        click.echo(
            f"{counted(uncertain, 'delivery is', 'deliveries are')} uncertain. Next: digest "
            f"deliveries list --edition {report.edition_id} --status uncertain."
        )
    for brake in report.brakes:
        where = f" at {brake['provider']}" if brake["provider"] else ""
        fault(
            f"{brake['dead']:,} of {brake['recipients']:,} recipients{where} came out as no such address. "
            f"Nobody was suppressed, and {brake['queued']:,} more wait. Next: digest bounces list --state "
            f"braked, then digest bounces confirm or discard --edition {report.edition_id}"
            f"{f' --at {place}' if (place := brake['provider']) else ''}."
        )
    braked = sum(brake["queued"] for brake in report.brakes)
    queued = max(0, report.left.get("queued", 0) - braked)
    if queued and report.note is not None and report.fault is None:
        click.echo(
            f"It was held meanwhile: {report.note}. {counted(queued, 'delivery stays', 'deliveries stay')} "
            f"queued. Next: digest editions release {report.edition_id}."
        )
    elif queued:
        click.echo(
            f"{counted(queued, 'delivery stays', 'deliveries stay')} queued. Next: digest send "
            f"{report.digest}, which sends what is due by then."
        )
