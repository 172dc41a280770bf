"""The one alarm that no database can keep, because it is the database that fails.

It lives in this process's memory: a service that starts again, or a second one on the same database,
may send it again.
"""

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

from digest.config.settings import Settings
from digest.errors import DigestError
from digest.mail.notices import Ways, outgoing, post_notice
from digest.mail.outgoing import Outcome, OutcomeKind
from digest.mail.store import WEBHOOK, Kind
from digest.model import Trouble
from digest.troubles import store_trouble
from digest.watch import LAST_TRY, alarm_notice, is_raised, places


class Unrecorded:
    """Sent as other alarms are: once it has lasted, and once it has stayed away; see docs/operating.md."""

    def __init__(self) -> None:
        self._trouble: Trouble | None = None
        self._gone_at: datetime | None = None
        self._sent: set[str] = set()

    def watch(
        self,
        settings: Settings,
        ways: Ways,
        fault: str | None,
        now: datetime,
        stop: Callable[[], bool],
    ) -> int:
        """`fault` is why the database cannot be used, None where it can; how many messages were taken."""
        if fault is not None:
            since = now if self._trouble is None else min(self._trouble.since, now)
            self._trouble, self._gone_at = store_trouble(fault, since), None
            if not is_raised(settings, self._trouble, now):
                return 0
            taken = self._send(settings, ways, set(places(settings)) - self._sent, stop)
            self._sent |= taken
            return len(taken)
        if self._trouble is None:
            return 0
        self._gone_at = min(self._gone_at or now, now)
        away = now - self._gone_at
        if away < timedelta(minutes=settings.alarms.quiet_minutes):
            return 0
        taken = self._send(settings, ways, self._sent & set(places(settings)), stop)
        self._sent -= taken
        if not self._sent & set(places(settings)) or away > LAST_TRY:
            self._trouble, self._gone_at, self._sent = None, None, set()
        return len(taken)

    def _send(
        self,
        settings: Settings,
        ways: Ways,
        to: Collection[str],
        stop: Callable[[], bool],
    ) -> set[str]:
        """Those of these places that have taken it."""
        trouble, over_at = self._trouble, self._gone_at
        if trouble is None:
            return set()
        occasion = Kind.OVER if over_at else Kind.BEGUN
        name = f"alarm.{trouble.since:%Y%m%d%H%M%S}.database.{occasion}"
        notice = alarm_notice(settings, trouble, over_at, name, over_at or trouble.since)
        taken: set[str] = set()
        if WEBHOOK in to and post_notice(settings, ways, notice).taken:
            taken.add(WEBHOOK)
        addresses = [one for one in places(settings) if one in to and one != WEBHOOK]
        if not addresses:
            return taken
        try:
            transport, signer = ways.transport(), ways.signer()
        except DigestError:  # `digest doctor` says what it is, and the webhook has the alarm
            return taken
        outcomes: list[Outcome] = []
        letters = (
            outgoing(settings, notice, address, number, signer)
            for number, address in enumerate(addresses)
        )
        transport.deliver(letters, handed=lambda _: None, settled=outcomes.extend, stop=stop)
        sent = [one.delivery_id for one in outcomes if one.kind is OutcomeKind.SENT]
        return taken | {addresses[number] for number in sent}
