"""A year of one digest in a real store: every article in exactly one edition, whatever clocks do."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import jinja2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.editions.compose import compose_due, compose_now
from digest.sources.store import next_moment
from digest.store.database import open_database, text_from_moment
from tests.desks import MADE_AT, opened
from tests.factories import make_settings
from tests.mailing import subscribe

BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
YEAR = timedelta(days=365)
ZONES = "Asia/Ashgabat Asia/Tashkent Europe/Vienna America/New_York Europe/London Asia/Kathmandu"
ARTICLE = """INSERT INTO articles (id, atom_id, source_id, version, language, title, title_made, lead,
  text, content_html, complete, date_source, date_evidence, archived, received_at, first_seen_at,
  updated_at)
  VALUES (:id, :id, 1, 1, 'en', 'News', 0, 'News.', 'News.', '<p>News.</p>', 1, 'unknown', '', 0,
  :at, :at, :at)"""
VERSION = """INSERT INTO article_versions (article_id, version, language, title, title_made, lead, text,
  content_html, complete, date_source, date_evidence, made_at)
  SELECT id, version, language, title, title_made, lead, text, content_html, complete, date_source,
  date_evidence, updated_at FROM articles WHERE id = :id"""

happenings = st.lists(
    st.one_of(
        st.tuples(st.just("copy"), st.integers(1, 3)),
        st.tuples(st.just("tick"), st.floats(0.001, 9 * 24)),  # hours until the next look
        st.tuples(st.just("outage"), st.integers(8, 40)),  # days
        st.tuples(st.just("jump"), st.floats(-30, 30)),  # hours
        st.tuples(st.just("by hand"), st.just(0)),
    ),
    min_size=60,
    max_size=120,
)


TINY = jinja2.Environment(
    loader=jinja2.DictLoader(
        dict.fromkeys(("mail/edition.html", "mail/edition.txt"), "{{ mail.footer.leave.url }}")
    ),
    autoescape=False,  # noqa: S701 - nobody reads these mails
)


@pytest.mark.parametrize("zone", ZONES.split())
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(year=happenings)
def test_every_article_is_in_exactly_one_edition(zone, year, tmp_path_factory):
    """For the reader: nothing is lost between two Mondays, and nothing comes twice, through both
    changes of the clock, outages, a clock that is set back, and editions that are sent by hand."""
    schedule = "30 2 * * sun"  # in the hour of the clock change
    weekly = {"name": "weekly", "title": {"en": "The week"}, "schedule": schedule}
    newsroom = make_settings(digests=[weekly | {"time_zone": zone}])
    with open_database(tmp_path_factory.mktemp("year") / "digest.db", now=MADE_AT) as db:
        db.run("PRAGMA synchronous = OFF")
        with db.write():
            db.run("INSERT INTO sources VALUES (1, 'wire', 'folder', 'Wire', NULL)")
            subscribe(db, "anna@reader.example", BEGIN, languages=("en",))
        clock, latest = _live_through(db, newsroom, year)
        end = max(clock, latest, BEGIN + YEAR) + timedelta(days=15)
        compose_due(opened(db, newsroom, templates=TINY, clock=lambda: end))
        ids = [row["id"] for row in db.rows("SELECT id FROM articles ORDER BY id")]
        placed = db.rows("SELECT article_id FROM placements ORDER BY article_id")
        assert [row["article_id"] for row in placed] == ids
        windows = db.rows("SELECT starts_at, ends_at FROM editions ORDER BY number")
        assert all(one["ends_at"] == two["starts_at"] for one, two in pairwise(windows))
        queued = db.rows("SELECT edition_id FROM deliveries")
        assert len(queued) == len(windows)


def _live_through(db, newsroom, year):
    """The clock at the end, and when the latest article came in."""
    clock, latest, number = BEGIN, BEGIN, 0
    for what, much in year:
        if what == "copy":
            for _ in range(much):
                number += 1
                with db.write():
                    latest = next_moment(db, clock)
                    db.run(ARTICLE, {"id": number, "at": text_from_moment(latest)})
                    db.run(VERSION, {"id": number})
            continue
        if what == "by hand":
            compose_now(
                opened(db, newsroom, templates=TINY, clock=lambda now=clock: now),
                newsroom.digests[0],
            )
            continue
        clock += timedelta(hours=much) if what != "outage" else timedelta(days=much)
        compose_due(opened(db, newsroom, templates=TINY, clock=lambda now=clock: now))
    return clock, latest
