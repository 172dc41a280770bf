"""`digest desk show|send`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from digest.cli.desk import runtime
from digest.cli.output import counted, done, emit_json, json_option, local

if TYPE_CHECKING:
    from digest.model import RenderedMail, Window
    from digest.runtime import Runtime


@click.group()
def desk() -> None:
    """The editors' weekly report."""


@desk.command()
@json_option
def show(as_json: bool) -> None:
    """The mail as it would be sent now: of the week that is due, else of the one that runs."""
    room = runtime()
    window, mail, due = _set(room)
    if as_json:
        emit_json(
            {
                "starts_at": window.starts_at,
                "ends_at": window.ends_at,
                "due": due,
                "subject": mail.subject,
                "text": mail.text,
            }
        )
        return
    click.echo(f"{click.style(mail.subject, bold=True)}\n")
    click.echo(mail.text)
    done(f"{_when(room, window, due)} Next: digest desk send --dry-run.")


@desk.command()
@click.option("--dry-run", is_flag=True, default=False, help="Only write the messages.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("preview"),
    show_default=True,
    help="Where --dry-run writes them.",
)
@json_option
@click.pass_context
def send(ctx: click.Context, dry_run: bool, out: Path, as_json: bool) -> None:
    """Send the mail of the week that is over, to each editor once, and what is still queued of it."""
    room = runtime()
    if dry_run:
        _rehearse(room, out, as_json)
        return
    from digest.cli.sending import stopping
    from digest.recovery import begin_sending
    from digest.report import check_wanted, deliveries, send_report
    from digest.store.sender import sole_sender

    settings, now = room.settings, room.now
    check_wanted(settings)
    with room.open() as db, sole_sender(settings.store.path, now()), stopping() as stop:
        begin_sending(db, settings, room.transport, room.here, now())
        send_report(
            db,
            settings,
            room.transport,
            room.templates,
            room.lexicon,
            now,
            signer=room.signer,
            stop=stop,
        )
        rows = deliveries(db)
    if as_json:
        emit_json(rows)
    else:
        for row in rows:
            said = ": ".join(str(row[key]) for key in ("reason", "answer") if row[key])
            why = f" ({said})" if said and row["status"] != "sent" else ""
            click.echo(f"{row['address']}: {row['status']}{why}")
        done(
            f"{counted(sum(row['status'] == 'sent' for row in rows), 'editor has', 'editors have')} "
            "the newest mail. Next: digest desk show."
            if rows
            else "No week is over yet. Next: digest desk show."
        )
    if any(row["status"] not in ("sent", "queued") for row in rows):
        ctx.exit(1)


def _set(room: "Runtime") -> "tuple[Window, RenderedMail, bool]":
    """The week, its mail, and whether it is due. Nothing is changed."""
    from digest.report import closed_week, render_week, running_week

    with room.open(read_only=True) as db, db.snapshot():
        now = room.now()
        window = closed_week(db, room.settings, now)
        shown = window or running_week(db, room.settings, now)
        mail = render_week(db, room.settings, room.templates, room.lexicon, shown, now)
    return shown, mail, window is not None


def _when(room: "Runtime", window: "Window", due: bool) -> str:
    zone = room.settings.desk_zone
    if due:
        return f"The week until {local(window.ends_at, zone)} is over, and due."
    return "This is the week that runs: its mail is sent when it is over."


def _rehearse(room: "Runtime", out: Path, as_json: bool) -> None:
    from digest.mail.notices import notice_message
    from digest.rehearsal import EXAMPLE_ADDRESS, write_parts
    from digest.report import report_notice

    window, mail, due = _set(room)
    addresses = room.settings.desk.mail_to or (EXAMPLE_ADDRESS,)
    notice = report_notice(window, mail)
    message = notice_message(room.settings, notice, addresses[0], room.signer)
    name = f"desk-{window.ends_at:%Y-%m-%d}"
    files = write_parts(out, name, message, mail)
    if as_json:
        emit_json({"due": due, "bytes": len(message), "files": [str(path) for path in files]})
        return
    whom = counted(len(room.settings.desk.mail_to), "editor")
    done(
        f"{_when(room, window, due)} {mail.subject}: {len(message) / 1000:.1f} kB to {whom}. "
        f"Nothing was sent and nothing was changed. Next: open {files[1]}."
    )
