"""Lines out of HTML: its blocks in order, each with its plain text and its safe inner HTML."""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from html import escape, unescape
from itertools import groupby
from typing import Any

from digest.errors import DocumentError
from digest.language.text import either, foreign, word_lists
from digest.sources.lines import ROUNDUP, Line, ends_sentence, is_prose, is_title, split_lines

_LISTS = word_lists("sources/markup.toml")
_BLOCKS = frozenset(_LISTS["tags"]["blocks"])
_DROPPED = frozenset(_LISTS["tags"]["dropped"])
_KNOWN = _BLOCKS.union(_DROPPED, _LISTS["tags"]["others"])
_KINDS = {"h1": "title", "blockquote": "quote"} | {f"h{level}": "heading" for level in range(2, 7)}
_KINDS |= dict.fromkeys(("aside", "figcaption", "footer"), "beside")
_TAG = re.compile(r"<(/?)([a-zA-Z][\w:-]{0,40})(?=[\s/>])[^<>]{0,4000}>")
_NO_TAG = re.compile(r"<(?![a-zA-Z/!])|<(?=[a-zA-Z][\w.+-]{0,60}@)")
_BLOCK = re.compile(either(_LISTS["signs"]["block"]), re.IGNORECASE)
_MARKUP = re.compile(either(_LISTS["signs"]["block"] + _LISTS["signs"]["inline"]), re.IGNORECASE)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,30});")
_LINKS = re.compile(r"(?:<a[ >](?:(?!</a>).)*</a>[\s|·•»›/-]*)+")
_NO_LINK = re.compile(r"<a>((?:(?!</?a>).)*)</a>")
_FIELD = re.compile(
    r"(?:From|To|Cc|Date|Sent|Subject|От|Кому|Копия|Дата|Отправлено|Тема)\s?:\s", re.I
)
_BR = re.compile(r"<br\s?/?>")
_LONGEST_CELL, _SHORT_LINE = 300, 60
_Block = tuple[str, str, str, bool]
"""Kind, text and HTML as those of a Line, and whether a gap is above it."""


def is_markup(text: str) -> bool:
    """Whether it is HTML: a tag ends a block or a line, or stresses or links something.

    Signs that only look like a tag (<Alfa>, 5 < 6, an address) are none.
    """
    return "<" in text and _MARKUP.search(text) is not None


def without_entities(text: str) -> str:
    """Plain text with the characters that "&nbsp;" and the like stand for."""
    return _ENTITY.sub(lambda found: foreign(unescape(found[0])) or " ", text)


def read_markup(name: str, text: str, header: Sequence[str] = ()) -> list[Line]:
    """The lines of HTML, below those of a header; without one, below the title and the day that only
    the head of the page names.

    Raises:
        DocumentError: nested too deeply to be copy.
    """
    import lxml.html

    if not _BLOCK.search(text):
        text = "".join(f"<p>{line}</p>" for line in text.split("\n"))
    elif "<body" not in text[:5000].lower():
        text = re.sub(r"\n[ \t]*\n", "<br><br>", text)
    # What looks like a tag but is neither one of HTML nor closed anywhere is text.
    known = _KNOWN.union(tag.lower() for end, tag in _TAG.findall(text) if end)
    text = _TAG.sub(lambda tag: tag[0] if tag[2].lower() in known else escape(tag[0]), text)
    parser = lxml.html.HTMLParser(remove_comments=True, remove_pis=True)
    page = lxml.html.document_fromstring(f"<html>{_NO_TAG.sub('&lt;', text)}", parser=parser)
    if any(error.type_name == "ERR_RESOURCE_LIMIT" for error in parser.error_log):
        raise DocumentError(name, "has tags nested too deeply; save it as plain text, or remove it")
    news = next(filter(None, map(page.xpath, _LISTS["head"]["copy"])), [page])
    blocks = [block for part in news for block in _read(part, "")]
    title, day = (
        next((" ".join(found[0].split()) for path in paths if (found := page.xpath(path))), "")
        for paths in (_LISTS["head"]["titles"], _LISTS["head"]["days"])
    )
    # Links above the title are a menu. Lists of links below the copy lead elsewhere, but below the
    # title of a digest they are its items.
    linked = {i for i, block in enumerate(blocks) if _LINKS.fullmatch(block[2])}
    titles = [i for i, block in enumerate(blocks) if block[0] == "title"]
    copy = (i for i, block in enumerate(blocks) if block[0] == "" and is_prose(block[1]))
    first = 0 if any(ROUNDUP.search(blocks[i][1]) for i in titles) else next(copy, 0)
    beside = linked.intersection(range(titles[0])) if titles else set[int]()
    for kind, group in groupby(range(len(blocks)), key=lambda i: blocks[i][0]):
        run = {*group}
        if titles and kind == "item" and 0 < first < min(run) and run <= linked:
            beside |= run
    blocks = [("beside", *one[1:]) if i in beside else one for i, one in enumerate(blocks)]
    for part in news if news != [page] else ():
        part.drop_tree()
    blocks += [("beside", *one[1:]) for one in (_read(page, "") if news != [page] else ())]
    if not header:
        if title and blocks and not blocks[0][0] and not is_title(blocks[0][1]):
            blocks.insert(0, ("title", title, "", True))
        header = [f"Date: {day}"] if day else []
    lines: list[Line] = []
    above = [("", " ".join(one.split()), "", False) for one in header if one.strip()]
    for number, (kind, words, html, gap) in enumerate([*above, *blocks], 1):
        before = lines[-1].block if lines else ""
        together = before in ("title", "heading") or before == kind == "item"
        html = _NO_LINK.sub(r"\1", html)
        lines.append(Line(number, words, gap and not together, kind, html))
    return lines


def _read(node: Any, kind: str, mark: str = "") -> Iterator[_Block]:
    """The blocks of an element; `mark` stands before the text of an item."""
    from lxml import etree

    run, count = [escape(node.text or "")], 0
    for child in node.iterchildren(etree.Element):
        if child.tag in _BLOCKS or next(child.iterdescendants(*_BLOCKS), None) is not None:
            yield from _cut("".join(run), kind, mark)
            run, own = [], mark
            if child.tag == "li":
                count += 1
                own = f"{count}. " if node.tag == "ol" else "– "
            inside = kind if kind == "beside" else _KINDS.get(child.tag, kind)
            yield from _read_block(child, inside, own)
        elif child.tag not in _DROPPED:
            run.append(etree.tostring(child, encoding="unicode", method="html", with_tail=False))
        run.append(escape(child.tail or ""))
    yield from _cut("".join(run), kind, mark)


def _read_block(node: Any, kind: str, mark: str) -> Iterator[_Block]:
    from lxml import etree

    if node.tag in _DROPPED:
        return
    if node.tag == "hr":
        yield kind, "* * *", "", True
    inner = set[str]()
    if node.tag in ("li", "table"):
        inner = {one.tag for one in node.iterdescendants(*_BLOCKS - {"ul", "ol", "li"})}
    if node.tag == "pre":
        yield from (
            (kind, line.text, "", line.after_gap) for line in split_lines(node.text_content())
        )
    elif node.tag == "table" and not inner & {"table", *_KINDS} and (text := _data(node)):
        source = etree.tostring(node, encoding="unicode", with_tail=False)
        html = _cleaner().clean(re.sub(r"</p>\s*<p[ >]", "<br><p ", source))
        yield kind if kind == "beside" else "row", text, " ".join(html.split()), True
    elif node.tag == "li" and kind != "beside":
        yield from _read(node, "item" if inner <= {"p"} else "", mark)
    else:
        yield from _read(node, kind, mark)


def _cut(run: str, kind: str, mark: str) -> Iterator[_Block]:
    """The lines of a run of text: a <br> ends one that is short or whose sentence ends, or a field of a
    mail that was forwarded."""
    mark = mark if kind == "item" else ""
    lines: list[tuple[str, str]] = []
    for piece in _BR.split(run):
        html = " ".join(_cleaner().clean(piece).split())
        text = " ".join(unescape(re.sub(r"<[^<>]*>", "", html)).split())
        above = lines[-1][0] if lines else ""
        goes_on = text[:1].islower() or (len(above) >= _SHORT_LINE and not ends_sentence(above))
        if (
            above
            and text
            and not _FIELD.match(text)
            and (goes_on or kind in ("title", "heading", "item"))
        ):
            lines[-1] = f"{above} {text}", f"{lines[-1][1]}<br>{html}"
        else:
            lines.append((text, html))
    gap = True
    for text, html in lines:
        if text:
            yield kind, mark + text, html if mark or "<" in html else "", gap
        gap = not text


def _data(table: Any) -> str:
    """The cells of a table; "" if it only lays out a page."""
    rows = [
        [" ".join(" ".join(cell.itertext()).split()) for cell in row.iterchildren("td", "th")]
        for row in table.iter("tr")
    ]
    cells = [cell for row in rows for cell in row]
    if max(map(len, rows), default=0) < 2 or max(map(len, cells)) > _LONGEST_CELL or len(rows) < 2:
        return ""
    return "; ".join(" | ".join(row) for row in rows if any(row))


@cache
def _cleaner() -> Any:
    from nh3 import Cleaner

    return Cleaner(
        tags=set(_LISTS["tags"]["kept"]),
        attributes={"a": {"href"}},
        url_schemes={"http", "https", "mailto"},
        url_relative="deny",
        link_rel=None,
    )
