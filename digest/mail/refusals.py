"""What a mail server's refusal means: only its own words or codes can say that an address is dead.

The rows of refusals.toml are tried in order; the first that matches decides.
"""

import re
import tomllib
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import NamedTuple

from digest.language.text import cut_at_word, either, fold_keep
from digest.mail.tokens import BOUNCES, TOKEN_LENGTH


class Verdict(StrEnum):
    """What a refusal says about the recipient."""

    HARD = "hard"  # there is no such address, or nobody reads it any more
    SOFT = "soft"  # it could not be reached this time, or no reason is given
    POLICY = "policy"  # the sender or the mail is refused, not the address


class Judgement(NamedTuple):
    """`because` says in a few words what decided; `full` is about the space in the mailbox."""

    verdict: Verdict
    because: str
    full: bool = False


_RETURN_PATH = re.compile(rf"\b{BOUNCES}\+[a-z2-7]{{{TOKEN_LENGTH}}}@", re.IGNORECASE)


def names_return_path(words: str) -> bool:
    """Whether a server's answer is about our return path, and not about the recipient."""
    return _RETURN_PATH.search(words[:_MOST_JUDGED]) is not None


NO_REASON = Judgement(Verdict.SOFT, "gives no reason")

TABLE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))

_MOST_JUDGED = 16_000
_UNACCENTED = str.maketrans("àáâãäåçèéêëìíîïñòóôõöøùúûüýÿőű", "aaaaaaceeeeiiiinoooooouuuuyyou")

# Possessive or bounded, so that hostile words take linear time. Of three numbers it is a code.
_NAME = re.compile(
    r"(?P<url>https?:\S++)"
    r"|(?P<address>[<(\[\"'{]{0,3}(?<![\w.+=/!#$%&*'~@-])[\w.+=/!#$%&*'~-]++@(?:[\w-]++\.?+)*+[>)\]\"'}]{0,3})"
    r"|\[?(?<![\w.@-])(?!(?i:resolver|storedrv|smtpsend|queue)\.)(?!\d++\.\d++\.\d++(?![\w.]))"
    r"(?P<host>[\w-]++(?:\.[\w-]++)++)\]?"
)
_BLOCK_LIST = re.compile(
    r"spamhaus|spamcop|sorbs|barracudacentral|senderbase|\b(?:dns|r)bl\b", re.I
)
_CLASS = re.compile(r"(?<![\w.-])([245])(?:\d\d(?![\w.])|\.\d{1,3}\.\d{1,3}(?!\.?\d))")


def judge(words: str, *, status: str | None = None, code: int | None = None) -> Judgement:
    """The meaning of a refusal: the server's words, an enhanced code (RFC 3463) and a reply code.

    Words decide before codes, and words about sender, policy, space, connection or time before
    "no such user". A code of class 4 is HARD only for a domain. At most 16,000 characters are read.
    """
    text = " ".join(filter(None, (str(code or ""), status, *words[:_MOST_JUDGED].split())))
    text = fold_keep(_NAME.sub(_sign, text)).translate(_UNACCENTED)
    text = _pattern("harmless").sub(" ", text)
    passing = {found[1] for found in _CLASS.finditer(text)} == {"4"}
    for number, row in enumerate(TABLE["row"]):
        verdict, means = Verdict(row["verdict"]), row["means"]
        if passing and verdict is Verdict.HARD and not row.get("always"):
            continue
        if found := _pattern("row", number).search(text):
            quote = cut_at_word(found[0], 60)
            because = f'says that {means} ("{quote}")'
            if re.fullmatch(r"[\d.# -]+", quote):
                because = f"the code {quote} says that {means}"
            return Judgement(verdict, because, row.get("full", False))
    return NO_REASON


def _sign(found: re.Match[str]) -> str:
    """An address as "@", a host name or URL as "~", but a block list by its kind."""
    if _BLOCK_LIST.search(found[0]):
        return " block list "
    start, _, end = (found["host"] or "").rpartition(".")
    if end.isalpha() and not end.islower() and not end.isupper() and start.isalpha():
        return f"{start}. {end}"  # the end of a sentence
    return "@" if found["address"] else "~"


@cache
def _pattern(table: str, number: int = 0) -> re.Pattern[str]:
    pattern = either(TABLE[table][number]["words"])
    for name, listed in TABLE["names"].items():
        pattern = pattern.replace(f"<{name}>", either(listed))
    return re.compile(pattern)
