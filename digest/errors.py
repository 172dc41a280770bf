"""The tree of errors that a user can mend; anything else is a bug and keeps its traceback.

DigestError
├── ConfigError        config.toml cannot be used as it is; carries every fault found
├── DocumentError      one document could not be read; the others go on
├── StoreError         the database cannot be opened, is locked, or is newer than this program
├── PublishError       the folder of feeds and pages cannot be written
├── NotFoundError      no article, edition, digest, theme or recipient of that name
├── RecipientError     an address, language or theme that a recipient cannot have
├── ExpectationError   what would be sent is not what the operator saw
├── SenderError        this process or this database must not send now
├── LexiconError       a theme's terms cannot be compiled
├── SigningError       a DKIM key cannot be used, or does not fit the domain of From
├── MailboxError       the mailbox of reports cannot be opened or read
├── LabelsError        a labelled file for `themes evaluate` cannot be read
└── NotReadyError      what was asked for is not possible yet; says what to do instead
"""

import traceback
from collections.abc import Sequence


class DigestError(Exception):
    """What went wrong, where, what is allowed, and what to do next, in one text for the operator."""


class ConfigError(DigestError):
    """config.toml cannot be used.

    `faults` holds one line for each fault, each with its key, what was found and what is allowed.
    """

    def __init__(self, path: str, faults: Sequence[str]) -> None:
        self.path = path
        self.faults = tuple(faults)
        count = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        lines = "\n".join(f"  {fault}" for fault in self.faults)
        super().__init__(f"{path}: {count}\n{lines}")


class DocumentError(DigestError):
    """One document of a source could not be read. `document` is its name within the source."""

    def __init__(self, document: str, reason: str) -> None:
        self.document = document
        self.reason = reason
        super().__init__(f"{document}: {reason}")


class StoreError(DigestError):
    """The database cannot be used: where it lies, what was found, what to do."""


class PublishError(DigestError):
    """The folder of feeds and pages cannot be written: which file, what was found, what to do."""


class NotFoundError(DigestError):
    """Nothing of that name or number is kept."""


class RecipientError(DigestError):
    """A recipient cannot have this address, language or theme."""


class ExpectationError(DigestError):
    """What would be sent is not what the operator saw in the dry run; nothing was sent."""


class SenderError(DigestError):
    """This process or this database must not send now: who does, or what to do first."""


class LexiconError(DigestError):
    """A theme's terms cannot be compiled: which theme, which term, what is wrong with it."""


class SigningError(DigestError):
    """A DKIM key cannot be used: which file or domain, what was found, what is allowed."""


class MailboxError(DigestError):
    """The mailbox of reports cannot be opened or read: which, what its server or disk said."""


class LabelsError(DigestError):
    """A file of labelled items cannot be read: which line, what is wrong with it."""


class NotReadyError(DigestError):
    """What was asked for cannot be done yet, and what can be done instead."""


def template_fault(error: Exception) -> str | None:
    """What went wrong in a template, with its file and line; None where it was not in a template."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [one for one in frames if one.filename.endswith((".html", ".txt", ".css"))]
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
