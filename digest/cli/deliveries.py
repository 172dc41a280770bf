"""`digest deliveries list|show|settle`."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

import click

from digest.cli.desk import runtime
from digest.cli.numbers import COUNT, ID
from digest.cli.output import counted, done, emit_json, json_option, one_form, table

STATES = ("queued", "handed", "sent", "failed", "uncertain", "skipped")
COLUMNS = (
    *("id", "digest", "number", "edition_id", "recipient_id", "address", "status", "attempts"),
    *("due_at", "handed_at", "settled_at", "server", "answer", "reason"),
)


@click.group()
def deliveries() -> None:
    """Who got what, and how each one ended."""


@deliveries.command("list")
@click.option("--edition", "edition_id", type=ID, metavar="ID", help="Only of this edition.")
@click.option("--status", type=click.Choice(STATES), help="Only in this state.")
@click.option("--limit", type=COUNT, metavar="N", help="At most so many.")
@click.option("--csv", "as_csv", is_flag=True, default=False, help="As CSV, with every column.")
@json_option
def list_deliveries(
    edition_id: int | None, status: str | None, limit: int | None, as_csv: bool, as_json: bool
) -> None:
    """Deliveries in the order in which they were queued."""
    from digest.store.deliveries import DeliveryStatus
    from digest.store.deliveries import list_deliveries as stored
    from digest.store.editions import edition_by_id

    one_form(as_csv=as_csv, as_json=as_json)
    room = runtime()
    with room.open(read_only=True) as db:
        if edition_id is not None:
            edition_by_id(db, edition_id)
        state = DeliveryStatus(status) if status else None
        rows = stored(db, edition_id=edition_id, status=state, limit=limit)
        if as_csv:
            print_csv(rows)
            return
        found = [{column: row[column] for column in COLUMNS} for row in rows]
    if as_json:
        emit_json(found)
        return
    if found:
        table(
            ("id", "edition", "address", "status", "tries", "answer"),
            [
                (
                    str(row["id"]),
                    f"{row['digest']} no. {row['number']}",
                    row["address"],
                    row["status"],
                    str(row["attempts"]),
                    row["answer"] or row["reason"] or "",
                )
                for row in found
            ],
            wide="answer",
            right=("id", "tries"),
        )
    done(f"{counted(len(found), 'delivery', 'deliveries')}. Next: digest deliveries show ID.")


def print_csv(rows: Iterable[Mapping[str, Any]]) -> None:
    """Deliveries as CSV (RFC 4180), a row at a time; a cell is never taken for a formula."""
    click.echo(_line(COLUMNS), nl=False)
    for row in rows:
        click.echo(_line([_cell(row[column]) for column in COLUMNS]), nl=False)


def _line(cells: Iterable[Any]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def _cell(value: Any) -> Any:
    # A spreadsheet would run an answer that a foreign server began so.
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + value
    return value


@deliveries.command()
@click.argument("delivery_id", type=ID, metavar="ID")
@json_option
def show(delivery_id: int, as_json: bool) -> None:
    """One delivery: its state, its tries, and what the server said last."""
    from digest.store.deliveries import delivery_by_id

    room = runtime()
    with room.open(read_only=True) as db:
        row = delivery_by_id(db, delivery_id)
    data = {column: row[column] for column in COLUMNS}
    if as_json:
        emit_json(data)
        return
    table(("", ""), [(key, "-" if value is None else str(value)) for key, value in data.items()])
    if row["status"] == "uncertain":
        done(f"Next: digest deliveries settle {delivery_id} --sent, or --resend.")


@deliveries.command()
@click.argument("delivery_id", type=ID, required=False, metavar="[ID]")
@click.option("--edition", "edition_id", type=ID, metavar="ID", help="All uncertain ones of it.")
@click.option("--sent", is_flag=True, default=False, help="It arrived.")
@click.option("--resend", is_flag=True, default=False, help="Send it again.")
def settle(delivery_id: int | None, edition_id: int | None, sent: bool, resend: bool) -> None:
    """Your word on deliveries that are uncertain: they arrived, or are to be sent again."""
    from digest.errors import NotFoundError
    from digest.store.deliveries import DeliveryStatus, delivery_by_id, settle_uncertain
    from digest.store.editions import edition_by_id

    if (delivery_id is None) == (edition_id is None):
        raise click.UsageError("Give the ID of a delivery, or --edition ID.")
    if sent == resend:
        also = ", not both" if sent else ""
        raise click.UsageError(f"Give --sent or --resend{also}.")
    room = runtime()
    with room.open() as db, db.write():
        if delivery_id is not None:
            status = delivery_by_id(db, delivery_id)["status"]
            if status != DeliveryStatus.UNCERTAIN:
                raise NotFoundError(
                    f"delivery {delivery_id} is {status}, and only an uncertain one is settled; see "
                    "`digest deliveries list --status uncertain`"
                )
        if edition_id is not None:
            edition_by_id(db, edition_id)
        count = settle_uncertain(
            db, delivery_id=delivery_id, edition_id=edition_id, sent=sent, now=room.now()
        )
    what = "sent" if sent else "queued again"
    follow = "digest editions list" if sent else "digest send"
    done(
        f"{counted(count, 'uncertain delivery', 'uncertain deliveries')} now {what}. Next: {follow}."
    )
