"""How a text reads: its sentences, which of them open it, and which words only stand in a list."""

import re
from bisect import bisect_right
from collections.abc import Sequence

from digest.datelines import dateline_end
from digest.prose import sentence_spans

_COMMA = re.compile(r"[,;]\s")
_LAST_ITEM = re.compile(r"(?:^|\s)(?:and|or|as well as|и|или|а также|we|hem-de)\s")
_CLAUSE = re.compile(
    r"\s*(?:who|which|where|when|that|котор\w*|где|когда|что|чтобы|[а-яё]+(?:вш|дш|ющ|ящ)[а-яё]{2,3})\b"
)
_LONGEST_ITEM = 45
_EDGE_ITEM = 28  # the first and the last member of a list have no comma at their far end
_LONGEST_HEADING = 90


class Reading:
    """The sentences of one text, whose paragraphs are parted by an empty line.

    `starts` holds where each sentence starts, `lead_end` where the first paragraph that is no
    heading ends. A dateline is no sentence: it belongs to the first one.
    """

    def __init__(self, text: str) -> None:
        own = dateline_end(text)
        self.starts = [0, *(start for start, _ in sentence_spans(text)[1:] if start > own)]
        self.lead_end = _lead_end(text, own)
        self._text = text
        self._own = own
        self._lists: dict[int, Sequence[tuple[int, int]]] = {}

    def __len__(self) -> int:
        return len(self.starts)

    def lists(self, sentence: int) -> Sequence[tuple[int, int]]:
        """Where the sentence of that number lists four or more things."""
        known = self._lists.get(sentence)
        if known is None:
            first = self.starts[sentence]
            last = self.starts[sentence + 1] if sentence + 1 < len(self) else len(self._text)
            known = self._lists[sentence] = enumerations(self._text, max(first, self._own), last)
        return known

    def listed(self, start: int, end: int, sentence: int) -> bool:
        """Whether [start, end) is one of four or more things that its sentence lists."""
        lists = self.lists(sentence)
        nearest = bisect_right(lists, (start, len(self._text)))
        if not nearest or lists[nearest - 1][1] < end > lists[max(0, nearest - 2)][1]:
            return False
        return "," not in self._text[start:end]


def enumerations(text: str, start: int, end: int) -> Sequence[tuple[int, int]]:
    """Where [start, end) lists four or more things: "a, b, c and d" or "a, b, c, d".

    A list is known by its short members between commas; with one comma alone it could as well be a
    clause. Its first member is the last words before the first comma, its last the words after
    "and", or after the last comma.
    """
    if text.count(",", start, end) + text.count(";", start, end) < 2:
        return ()
    commas = [match.start() for match in _COMMA.finditer(text, start, end)]
    found: list[tuple[int, int]] = []
    first = 0
    while first < len(commas) - 1:
        last = first
        while last + 1 < len(commas) and _is_item(text, commas[last] + 1, commas[last + 1]):
            last += 1
        if last > first:
            after = commas[last + 1] if last + 1 < len(commas) else end
            reach = min(after, commas[last] + _LONGEST_ITEM)
            final = _LAST_ITEM.search(text, commas[last] + 1, reach)
            if final or last - first > 1:
                close = (final.end() if final else commas[last]) + _EDGE_ITEM
                found.append((max(start, commas[first] - _EDGE_ITEM), min(after, close)))
        first = last + 1
    return found


def _is_item(text: str, start: int, end: int) -> bool:
    """Whether what stands between two commas can be a member of a list, and is no clause."""
    if end - start > _LONGEST_ITEM:
        return False
    item = text[start:end]
    return not (":" in item or "—" in item or "–" in item or _CLAUSE.match(item))


def _lead_end(text: str, start: int) -> int:
    while (end := text.find("\n\n", start)) >= 0:
        if end - start > _LONGEST_HEADING or text[end - 1 : end] in (".", "!", "?", "…", "»", "”"):
            return end
        start = end + 2
    return len(text)
