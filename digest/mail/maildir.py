"""Writes mail into a maildir on this machine: the default transport.

A message's file name follows from its delivery, so delivering it again after a crash replaces it, even
after a mail program has moved it, and never doubles it.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from itertools import islice
from pathlib import Path

from digest.mail.outgoing import Outcome, OutcomeKind, Outgoing, Phase, Report
from digest.store.files import sync_folder

GROUP = 100
"""Messages that share one call of `handed`, one of `settled` and one sync of the folder."""


def file_name(message: Outgoing) -> str:
    """The name in new/, always the same for a delivery. Its ending opens it in a mail program."""
    envelope = f"{message.sender}\n{message.recipient}".encode()
    return f"{message.delivery_id:012d}.{blake2b(envelope, digest_size=8).hexdigest()}.eml"


class MaildirTransport:
    """Writes each message as one file into the maildir `outbox`, which is created if missing.

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
        """Write until `messages` ends, `stop()` is true, or the folder cannot be written: then the
        messages drawn are OURS."""
        counts: Counter[OutcomeKind] = Counter()
        cur = self._outbox / "cur"  # where mail programs move messages, with flags in the name
        moved = {f.name.partition(":")[0]: f for f in cur.iterdir()} if cur.is_dir() else {}
        while not (stopped := stop()):
            group = list(islice(messages, GROUP))
            if not group:
                break
            handed([message.delivery_id for message in group])
            where = str(self._outbox)
            try:
                for folder in ("tmp", "new", "cur"):
                    (self._outbox / folder).mkdir(parents=True, exist_ok=True)
                for message in group:
                    name = file_name(message)
                    # As in a maildir: complete in tmp/, then one rename. The bytes are those of the
                    # message, with CRLF, so that a signature still verifies.
                    temporary = self._outbox / "tmp" / name
                    with temporary.open("wb") as file:
                        file.write(message.message)
                        file.flush()
                        os.fsync(file.fileno())
                    temporary.replace(moved.get(name, self._outbox / "new" / name))
                sync_folder(self._outbox / "new")
                outcomes = [
                    Outcome(m.delivery_id, OutcomeKind.SENT, server=where, phase=Phase.END)
                    for m in group
                ]
            except OSError as e:  # none of the group counts as sent
                text = e.strerror or str(e)
                outcomes = [Outcome(m.delivery_id, OutcomeKind.OURS, text=text) for m in group]
            settled(outcomes)
            counts.update(outcome.kind for outcome in outcomes)
            if counts[OutcomeKind.OURS]:
                return Report(counts, fault=f"outbox {self._outbox}: {outcomes[-1].text}")
        return Report(counts, exhausted=not stopped, stopped=stopped)
