"""A document of any format as lines of copy. Its content decides before its name: a page or a mail that
was saved as .txt is read as what it is.
"""

import logging
import re
import zipfile
from collections import Counter
from dataclasses import dataclass
from email.message import Message
from io import BytesIO
from itertools import pairwise
from pathlib import Path, PurePath
from typing import Any

from digest.errors import DocumentError
from digest.language.text import decode, either, foreign, sentences, word_lists
from digest.mail import messages
from digest.sources.folder import READABLE
from digest.sources.lines import Line, split_lines
from digest.sources.markup import is_markup, read_markup, without_entities

_MIB = 1024 * 1024
_MOST_XML = 4 * _MIB
"""In an office document; a hundred pages have half of it."""
_LONGEST_RUN = _MIB
"""Of text without a tag, for which mammoth takes quadratic time."""
_MOST_PAGES = 200
_FEWEST_LETTERS = 20
"""A page of a scan may have a number, but no copy."""
_INVISIBLE = re.compile("[\u00ad\u200b\u2060]")
"""Signs that only allow or forbid a break in a word: our pages hyphenate by themselves, and some readers
show these signs. Stress marks stay, because a reader needs them.
"""
_FRONT_MATTER = re.compile(r"---\n((?:[^\n]{0,1000}\n){1,60}?)---\n")
_QUOTED = re.compile(r"(?<=: )([\"'])(.{0,1000})\1[ \t]*$", re.MULTILINE)
_CHARSET = re.compile(rb"<meta[^>]{0,100}charset\s?=\s?[\"']?([\w-]{3,30})", re.IGNORECASE)
_SAVED_MAIL = re.compile(rb"[A-Za-z-]{2,40}:[^\n]*\n(?s:.{0,4000}?)^mime-version:", re.I | re.M)
_COVERING = re.compile(either(word_lists("sources/copy.toml")["covering"]["patterns"]), re.I)
_GREETING, _NOTE = 30, 200
"""Characters of a sentence that only greets; of a note that need not say that something is attached."""
_SIGNATURE = re.compile(r"^-- ?$", re.MULTILINE)
_TRACKED = re.compile(
    r"(?:<a\s[^<>]{0,300}href=[\"']?|\s?[<(\[])https?://(?:(?:click|links?|trk|track(?:ing)?|email|url\d{0,4})\.[^\s<>\"'/]{0,80}/"
    r"|[^\s<>\"']{1,80}/(?:ls/click|wf/click|track/click|trk|CL0)[/?])[^<>\s)\]]{0,2000}[^<>]{0,300}?[>)\]]",
    re.IGNORECASE,
)
"""A link that tells a mailing service who follows it."""
_LIST_TAG = re.compile(r"((?:\w{2,3}:\s){0,2})\[([^\[\]]{2,40})\]\s{0,2}")
_HYPHENATED = re.compile(r"(?<=[^\W\d_]{2})[-\u00ad]\n(?=[a-zа-яё])")
_PAGE_NUMBER = re.compile(
    r"^(?:page |стр\. ?|[-–—] ?)?\d{1,3}(?: ?(?:/|of|из) ?\d{1,3})?(?: ?[-–—])?$", re.I | re.M
)
_LIGATURES = str.maketrans({"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl"})
_STYLES = """p[style-name='Title'] => h1:fresh
p[style-name='heading 1'] => h2:fresh
p[style-name='heading 2'] => h3:fresh"""


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """The lines of a document, and the encoding of its text or the name of its format."""

    lines: list[Line]
    encoding: str


def read_document(name: str, data: bytes) -> ReadDocument:
    """The document's lines. A mail begins with its header, as one that was saved as text does.

    Raises:
        DocumentError: damaged, too large when unpacked, without text, or of no format that is read.
    """
    for start, (what, read) in _OFFICE.items():
        if data.startswith(start):
            try:
                return read(name, data)
            except DocumentError:
                raise
            except ImportError as e:
                reason = f'is {what}, which needs an extra: pip install "newsroom-digest[office]"'
                raise DocumentError(name, reason) from e
            except Exception as e:  # whatever a library raises, the document is at fault
                reason = f"cannot be read as {what}: it is damaged; save it again, or as text"
                raise DocumentError(name, reason) from e
    ending = PurePath(name).suffix.lower()
    if ending == ".eml" or _SAVED_MAIL.match(data, 0, 8000):
        if messages.readable(data) != data:
            raise DocumentError(
                name, "is a mail with too many lines or parts; save its text instead"
            )
        return ReadDocument(_read_mail(name, messages.parse(data)), "mail")
    page = ending in (".html", ".htm")
    declared = _CHARSET.search(data, 0, 4000) if page else None
    text, encoding = decode(name, data, declared and declared[1].decode())
    text = _INVISIBLE.sub("", text)
    if "&" in text and not page and not is_markup(text):
        text = without_entities(text)
    if ending == ".md":
        lines = _read_markdown(name, text)
    elif page or is_markup(text):
        lines = read_markup(name, text)
    else:
        lines = split_lines(text)
    return ReadDocument(lines, encoding)


def _read_markdown(name: str, text: str) -> list[Line]:
    from markdown_it import MarkdownIt

    front = _FRONT_MATTER.match(text)
    html = MarkdownIt("commonmark").enable("table").render(text[front.end() if front else 0 :])
    return read_markup(name, html, _QUOTED.sub(_unquoted, front[1]).splitlines() if front else ())


def _unquoted(found: re.Match[str]) -> str:
    """What stands between the quotation marks of YAML, with its own as they are meant."""
    quote, text = found.groups()
    return re.sub(r'\\(["\\])', r"\1", text) if quote == '"' else text.replace("''", "'")


def only_covers(mail: Message) -> bool:
    """Whether the text of a mail only says that a document is attached, in a format that we read, and greets."""
    attached = any(one.lower().endswith(READABLE) for one, _ in messages.attachments(mail))
    text = _SIGNATURE.split(messages.words(mail), maxsplit=1)[0] if attached else ""
    if not attached or (len(text.strip()) > _NOTE and not _COVERING.search(text)):
        return False
    said = [one for one in sentences(text) if len(one) > _GREETING and one.rstrip().endswith(".")]
    return all(_COVERING.search(one) for one in said)


def _read_mail(name: str, mail: Message) -> list[Line]:
    """The part for people, that in HTML only where the plain one is missing or a stub; without one, the
    mail that it encloses.
    """
    fields = {key: messages.header(mail, key) for key in ("From", "Date", "Subject")}
    # A list puts its name before each subject.
    tag = _LIST_TAG.match(fields["Subject"])
    if tag and tag[2].casefold() in messages.header(mail, "List-Id").casefold():
        fields["Subject"] = fields["Subject"].replace(tag[0], tag[1], 1)
    header = [f"{key}: {value}" for key, value in fields.items() if value]
    bodies = {"text/plain": "", "text/html": ""}
    for part in messages.parts(mail):
        if messages.is_body(part):
            text = _INVISIBLE.sub("", messages.text(part, None))
            if "flowed" in messages.header(part, "Content-Type").lower():  # RFC 3676
                text = re.sub(r"(?<!\n--) \n(?!>)", " ", text)
            bodies[messages.kind(part)] += f"{text}\n\n"
    covers = only_covers(mail)
    if covers or not any(text.strip() for text in bodies.values()):
        for inner in messages.enclosed(mail):
            return _read_mail(name, inner)
        reason = "only says what is attached to it" if covers else "is a mail without text"
        raise DocumentError(name, f"{reason}; save what is attached to it instead")
    plain = _TRACKED.sub("", bodies["text/plain"])
    html = _TRACKED.sub("<a>", bodies["text/html"])
    lines = read_markup(name, html, header) if html else []
    if 3 * len(plain) > sum(len(line.text) for line in lines):
        lines = split_lines("\n".join([*header, "", plain]))
    return lines


def _read_zip(name: str, data: bytes) -> ReadDocument:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        parts = [one for one in archive.infolist() if one.filename.endswith((".xml", ".rels"))]
        size = sum(part.file_size for part in parts)
        if size > _MOST_XML:
            reason = f"has {size / _MIB:.0f} MiB of text and markup, which is too much; split it"
            raise DocumentError(name, reason)
        files = {part.filename: archive.read(part) for part in parts}
    if any(len(run) > _LONGEST_RUN for xml in files.values() for run in xml.split(b"<")):
        raise DocumentError(name, "has a paragraph that is too long; split it")
    if any(file.startswith("word/") for file in files):
        import mammoth

        drawn = mammoth.images.img_element(lambda _: {})
        found = mammoth.convert_to_html(BytesIO(data), style_map=_STYLES, convert_image=drawn)
        return ReadDocument(read_markup(name, f"<body>{_clean(found.value)}"), "docx")
    if "content.xml" in files:
        from lxml import etree

        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        to_html = etree.XSLT(etree.parse(Path(__file__).with_name("odt.xsl")))
        html = _clean(str(to_html(etree.fromstring(files["content.xml"], parser))))
        return ReadDocument(read_markup(name, html), "odt")
    reason = "is an archive or another office document; save it as .docx, .odt or text"
    raise DocumentError(name, reason)


def _clean(text: str) -> str:
    return _INVISIBLE.sub("", foreign(text, lines=True, limit=None))


def _read_rtf(name: str, data: bytes) -> ReadDocument:
    from striprtf.striprtf import rtf_to_text

    text = rtf_to_text(data.decode("latin-1"), errors="replace")  # type: ignore[no-untyped-call]
    return ReadDocument(split_lines(_clean(text)), "rtf")


def _read_pdf(name: str, data: bytes) -> ReadDocument:
    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    reader = PdfReader(BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        raise DocumentError(name, "is protected by a password; save it without one")
    if len(reader.pages) > _MOST_PAGES:
        raise DocumentError(name, f"has more than {_MOST_PAGES} pages; split it")
    text = "\n".join(_page_text(page) for page in reader.pages)
    if sum(sign.isalpha() for sign in text) < _FEWEST_LETTERS:
        reason = "has no text: it is a scan or a picture; ask for the text, or run OCR over it"
        raise DocumentError(name, reason)
    text = _HYPHENATED.sub("", _PAGE_NUMBER.sub("", foreign(text, lines=True, limit=None)))
    return ReadDocument(split_lines(_clean(text.translate(_LIGATURES))), "pdf")


def _page_text(page: Any) -> str:
    """The text with an empty line at each larger gap; a heading, whose letters are larger, on one line."""
    pieces: list[tuple[float, float, str]] = []
    page.extract_text(
        visitor_text=lambda text, matrix, place, font, size: pieces.append(
            (place[5] * matrix[3] + matrix[5], round(abs(size * place[3] * matrix[3]), 1), text)
        )
    )
    shown = [piece for piece in pieces if piece[2].strip()]
    below = [(abs(y - lower), size) for (y, size, _), (lower, *_) in pairwise(shown) if y != lower]
    usual = Counter(size for _, size in below).most_common(1)[0][0] if below else 0
    step = Counter(round(gap) for gap, size in below if size == usual).most_common(1)
    text, last_y, last_size = "", 0.0, 0.0
    for y, size, piece in pieces:
        if piece.strip():
            if text.endswith("\n") and size == last_size > 1.15 * usual:
                text = f"{text.rstrip()} "
            elif text.endswith("\n") and (size != last_size or abs(y - last_y) > 1.3 * step[0][0]):
                text += "\n"
            last_y, last_size = y, size
        text += piece
    return text


_OFFICE = {
    b"%PDF": ("a PDF", _read_pdf),
    b"PK\x03\x04": ("an office document", _read_zip),
    b"{\\rtf": ("an RTF document", _read_rtf),
}
"""Formats by their first bytes."""
