"""The errors that a user can fix, all of them DigestError; anything else is a bug and keeps its traceback."""

import traceback
from collections.abc import Sequence


class DigestError(Exception):
    """What is wrong, where, and what to do next, in one text for the operator; `key` and `facts` are for
    pages that have words of their own for it."""

    def __init__(self, text: str = "", key: str = "", **facts: object) -> None:
        super().__init__(text)
        self.key, self.facts = key, facts


class ConfigError(DigestError):
    """config.toml cannot be used.

    `faults` holds one line for each fault, with its key, the value and what it must be.
    """

    def __init__(self, path: str, faults: Sequence[str]) -> None:
        self.path = path
        self.faults = tuple(faults)
        lines = [f"{path}: {len(faults)} faults", *(f"  {fault}" for fault in faults)]
        super().__init__("\n".join(lines) if len(faults) > 1 else f"{path}: {faults[0]}")


class DocumentError(DigestError):
    """One document of a source could not be read. `document` is its name within the source."""

    def __init__(self, document: str, reason: str) -> None:
        self.document = document
        self.reason = reason
        super().__init__(f"{document}: {reason}")


class FetchError(DigestError):
    """An address cannot be fetched, or must not be: which, why in plain words, and what one can do.

    `kind` is "address", "robots", "challenge", "login", "consent", "script", "size", "time", "answer" or
    "network".
    """

    def __init__(self, url: str, kind: str, reason: str) -> None:
        self.url, self.kind, self.reason = url, kind, reason
        super().__init__(f"{url}: {reason}")


class StoreError(DigestError):
    """The database cannot be used: which file, what is wrong, what to do. `may_pass`: a later try may
    succeed, once another process or the disk lets it."""

    may_pass = False


class PublishError(DigestError):
    """The folder of feeds and pages cannot be written: which file, what is wrong, what to do."""


class NotFoundError(DigestError):
    """Nothing has that name or number."""


class RecipientError(DigestError):
    """A recipient cannot have this address, language or theme."""


class LimitError(DigestError):
    """Too many forms came from one network within an hour."""


class FollowError(RecipientError):
    """A reader cannot follow this; `fault` is the key of the sentence that says why (Wording.following)."""

    def __init__(self, fault: str, sentence: str) -> None:
        self.fault = fault
        super().__init__(sentence)


class ExpectationError(DigestError):
    """What would be sent is not what the operator saw in the dry run; nothing was sent."""


class SenderError(DigestError):
    """This process or this database must not send now: who sends, or what to do first."""


class SenderBusyError(SenderError):
    """Another process sends now: wait for it."""


class LexiconError(DigestError):
    """A theme's terms cannot be compiled: which theme, which term, what is wrong with it."""


class SigningError(DigestError):
    """A DKIM key cannot be used: which file or domain, and what is wrong with it."""


class MailboxError(DigestError):
    """A mailbox of bounces or letters cannot be opened or read: which, and the answer of its server or disk."""


class LabelsError(DigestError):
    """A file of labelled items cannot be read: which line, what is wrong with it."""


class NotReadyError(DigestError):
    """This is not possible yet, and what to do instead."""


def template_fault(error: Exception) -> str | None:
    """What is wrong in a template, with its file and line; None where the fault is elsewhere."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if frame.filename.endswith((".html", ".txt", ".css"))]
    name, line = (getattr(error, key, None) for key in ("filename", "lineno"))
    if inside:
        place = f" in {inside[-1].filename}, line {inside[-1].lineno}"
    elif name and line:
        place = f" in {name}, line {line}"
    elif type(error).__module__.startswith("jinja2."):
        place = ""
    else:
        return None
    return f"{type(error).__name__}{place}: {error}"
