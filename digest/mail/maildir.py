"""Writes mail into a maildir on this machine: the default transport.

A message's file name follows from its delivery, so that after a crash the folder shows what became of it.
"""

import contextlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from itertools import islice
from pathlib import Path

from digest.mail.outgoing import Outcome, OutcomeKind, Outgoing, Phase, Report
from digest.store.files import open_private, private_folder, sync_folder

GROUP = 100
"""Messages that share one call of `handed`, one of `settled` and one sync of the folder."""


def file_name(message: Outgoing) -> str:
    """The name in new/, always the same for a delivery. Its ending opens it in a mail program."""
    envelope = f"{message.sender}\n{message.recipient}".encode()
    return f"{message.delivery_id:012d}.{blake2b(envelope, digest_size=8).hexdigest()}.eml"


class MaildirTransport:
    """Writes each message as one file into the maildir `outbox`, which is created if missing.

        tmp/, complete and on disk -> `handed` -> new/ -> `settled`

    So the folder itself shows what became of a message whose sender died, as long as no program has
    taken it away.
    """

    def __init__(self, outbox: Path) -> None:
        self._outbox = outbox

    def fate(self, message: Outgoing) -> OutcomeKind:
        """In tmp/ it was not delivered, in new/ or cur/ it was; a file that is gone may have been
        taken from new/."""
        name = file_name(message)
        if (self._outbox / "tmp" / name).exists():
            return OutcomeKind.UNSENT
        # In cur/, where mail programs move messages, flags follow the name.
        taken = (self._outbox / "new" / name).exists() or any(
            (self._outbox / "cur").glob(f"{name}*")
        )
        return OutcomeKind.SENT if taken else OutcomeKind.UNCERTAIN

    def deliver(
        self,
        messages: Iterator[Outgoing],
        *,
        handed: Callable[[Sequence[int]], None],
        settled: Callable[[Sequence[Outcome]], None],
        stop: Callable[[], bool],
    ) -> Report:
        """Write until `messages` ends, `stop()` is true, or the folder cannot be written: then the
        messages that are not in new/ are OURS."""
        counts: Counter[OutcomeKind] = Counter()
        new = self._outbox / "new"
        while not (stopped := stop()):
            group = list(islice(messages, GROUP))
            if not group:
                break
            paths = {one.delivery_id: self._outbox / "tmp" / file_name(one) for one in group}
            delivered: set[int] = set()
            is_handed, text = False, ""
            try:
                for folder in ("tmp", "new", "cur"):
                    private_folder(self._outbox / folder)
                for message in group:
                    # The bytes are those of the message, with CRLF, so that a signature still verifies.
                    with open_private(paths[message.delivery_id]) as file:
                        file.write(message.message)
                        file.flush()
                        os.fsync(file.fileno())
                sync_folder(self._outbox / "tmp")
                handed(list(paths))
                is_handed = True
                for delivery_id, path in paths.items():
                    path.replace(new / path.name)
                    delivered.add(delivery_id)
                sync_folder(new)
            except OSError as e:
                text = e.strerror or str(e)
            finally:
                if not is_handed:
                    for path in paths.values():
                        with contextlib.suppress(OSError):  # it was not written
                            path.unlink()
            outcomes = [
                Outcome(i, OutcomeKind.SENT, server=str(self._outbox), phase=Phase.END)
                if i in delivered
                else Outcome(i, OutcomeKind.OURS, text=text)
                for i in paths
            ]
            settled(outcomes)
            counts.update(outcome.kind for outcome in outcomes)
            if text:
                return Report(counts, fault=f"outbox {self._outbox}: {text}")
        return Report(counts, exhausted=not stopped, stopped=stopped)
