"""Mail out into a maildir on this machine: the default transport.

A message's file name is fixed by its delivery, so that delivering it once more, after a crash,
replaces it, wherever a mail program has moved it, and never doubles it.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import islice
from pathlib import Path

from digest.mail.outgoing import Outcome, OutcomeKind, Outgoing, Phase, Report
from digest.store.files import sync_folder as _sync_folder

GROUP = 100
"""Messages that share one call of `handed`, one of `settled`, and one sync of the folder."""


def file_name(message: Outgoing) -> str:
    """The name in new/, always the same for the same delivery; by its ending mail programs open it."""
    who = f"{message.sender}\n{message.recipient}".encode()
    return f"{message.delivery_id:012d}.{blake2b(who, digest_size=8).hexdigest()}.eml"


class MaildirTransport:
    """Writes each message as one file into the maildir `outbox`, which is made where it is missing.

    Never uncertain: a message handed without an answer may be delivered again.
    """

    repeatable = True

    def __init__(self, outbox: Path) -> None:
        self._outbox = outbox

    def deliver(
        self,
        messages: Iterator[Outgoing],
        *,
        handed: Callable[[Sequence[int]], None],
        settled: Callable[[Sequence[Outcome]], None],
        stop: Callable[[], bool],
    ) -> Report:
        """Write until `messages` ends, `stop()` is true, or the folder cannot be written.

        In the last case what was drawn is OURS.
        """
        counts: Counter[OutcomeKind] = Counter()
        moved = self._moved()
        while not (stopped := stop()):
            group = list(islice(messages, GROUP))
            if not group:
                break
            handed([message.delivery_id for message in group])
            outcomes = self._written(group, moved)
            settled(outcomes)
            counts.update(outcome.kind for outcome in outcomes)
            if counts[OutcomeKind.OURS]:
                return Report(counts, fault=f"outbox {self._outbox}: {outcomes[-1].text}")
        return Report(counts, exhausted=not stopped, stopped=stopped)

    def holds(self, message: Outgoing) -> bool:
        """Whether the message lies in the outbox, read or unread."""
        name = file_name(message)
        return (self._outbox / "new" / name).exists() or name in self._moved()

    def _written(self, group: Sequence[Outgoing], moved: Mapping[str, Path]) -> list[Outcome]:
        """All of the group on disk, or none of it told as sent."""
        try:
            for folder in ("tmp", "new", "cur"):
                (self._outbox / folder).mkdir(parents=True, exist_ok=True)
            for message in group:
                name = file_name(message)
                self._write(message, moved.get(name, self._outbox / "new" / name))
            _sync_folder(self._outbox / "new")
        except OSError as e:
            text = e.strerror or str(e)
            return [Outcome(m.delivery_id, OutcomeKind.OURS, text=text) for m in group]
        where = str(self._outbox)
        return [
            Outcome(m.delivery_id, OutcomeKind.SENT, server=where, phase=Phase.END) for m in group
        ]

    def _moved(self) -> dict[str, Path]:
        """Where mail programs have put messages of ours, by name without flags."""
        cur = self._outbox / "cur"
        if not cur.is_dir():
            return {}
        return {path.name.partition(":")[0]: path for path in cur.iterdir()}

    def _write(self, message: Outgoing, to: Path) -> None:
        """As maildir wants it: whole into tmp/, then one rename. The bytes are those of the
        message, CRLF and all, so that a signature still holds."""
        temporary = self._outbox / "tmp" / file_name(message)
        with temporary.open("wb") as file:
            file.write(message.message)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(to)
