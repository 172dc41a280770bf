"""The one alarm that no database can keep, because it is the database that fails.

It lives in this process's memory: a service that starts anew, or a second one on the same database,
may tell it again.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

from digest.config.settings import Settings
from digest.errors import DigestError
from digest.mail.outgoing import Outcome, OutcomeKind
from digest.model import Trouble
from digest.store.alarms import LAST_TRY, WEBHOOK, Occasion
from digest.troubles import store_trouble
from digest.watch import Ways, alarm_outgoing, is_raised, places, post_alarm


class Unrecorded:
    """Told as other alarms are: once it has lasted, and once it has stayed away; see docs/operating.md."""

    def __init__(self) -> None:
        self._trouble: Trouble | None = None
        self._gone_at: datetime | None = None
        self._told: set[str] = set()

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
            taken = self._tell(settings, ways, set(places(settings)) - self._told, now, stop)
            self._told |= taken
            return len(taken)
        if self._trouble is None:
            return 0
        self._gone_at = min(self._gone_at or now, now)
        away = now - self._gone_at
        if away < timedelta(minutes=settings.alarms.quiet_minutes):
            return 0
        taken = self._tell(settings, ways, self._told & set(places(settings)), now, stop)
        self._told -= taken
        if not self._told & set(places(settings)) or away > LAST_TRY:
            self._trouble, self._gone_at, self._told = None, None, set()
        return len(taken)

    def _tell(
        self,
        settings: Settings,
        ways: Ways,
        whom: Collection[str],
        now: datetime,
        stop: Callable[[], bool],
    ) -> set[str]:
        """Those of `whom` who were told."""
        if self._trouble is None:
            return set()
        occasion = Occasion.BEGUN if self._gone_at is None else Occasion.OVER
        name = f"alarm.{self._trouble.since:%Y%m%d%H%M%S}.database.{occasion}"
        taken: set[str] = set()
        if WEBHOOK in whom:
            posted = post_alarm(settings, ways, self._trouble, self._gone_at, name)
            taken |= {WEBHOOK} if posted.taken else set()
        addresses = [one for one in places(settings) if one in whom and one != WEBHOOK]
        if addresses:
            taken |= self._mail(settings, ways, self._trouble, name, addresses, stop)
        return taken

    def _mail(
        self,
        settings: Settings,
        ways: Ways,
        trouble: Trouble,
        name: str,
        addresses: Sequence[str],
        stop: Callable[[], bool],
    ) -> set[str]:
        try:
            transport, signer = ways.transport(), ways.signer()
        except DigestError:  # what it is stands in `digest doctor`, and the webhook was told
            return set()
        letters = (
            alarm_outgoing(
                settings,
                trouble,
                self._gone_at,
                name=name,
                number=number,
                address=address,
                date=self._gone_at or trouble.since,
                signer=signer,
            )
            for number, address in enumerate(addresses)
        )
        outcomes: list[Outcome] = []
        transport.deliver(letters, handed=lambda _: None, settled=outcomes.extend, stop=stop)
        sent = [one.delivery_id for one in outcomes if one.kind is OutcomeKind.SENT]
        return {addresses[number] for number in sent}
