"""Documents of every format become lines of copy: nothing live, nothing lost, and each fault is named."""

import builtins
import io
import zipfile
from html import escape

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from digest.errors import DocumentError
from digest.sources.documents import read_entries
from digest.sources.folder import READABLE
from digest.sources.formats import read_document
from tests.conftest import grows_in_proportion

TITLE = "Порт Селкан получил сканер"
COPY = "ОСТАН, 22 ноября 2026 года. Сканер для контейнеров заработал в порту."
WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
OPEN = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{prefix}:1.0"'
    for prefix in ("office", "text", "table", "style")
)


def zipped(**files: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/").replace("_xml", ".xml"), content)
    return made.getvalue()


def docx(body: str) -> bytes:
    style = f'<w:styles {WORD}><w:style w:type="paragraph" w:styleId="T"><w:name w:val="Title"/></w:style></w:styles>'
    numbers = (
        f'<w:numbering {WORD}><w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:numFmt w:val="decimal"/></w:lvl>'
        '</w:abstractNum><w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num></w:numbering>'
    )
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    links = "".join(
        f'<Relationship Id="{x}" Type="{kind}/{x}" Target="{x}.xml"/>'
        for x in ("styles", "numbering")
    )
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    archive = io.BytesIO(
        zipped(
            word__document_xml=f"<w:document {WORD}><w:body>{body}</w:body></w:document>",
            word__styles_xml=style,
            word__numbering_xml=numbers,
        )
    )
    with zipfile.ZipFile(archive, "a") as more:
        more.writestr(
            "word/_rels/document.xml.rels",
            f'<Relationships xmlns="{package}">{links}</Relationships>',
        )
    return archive.getvalue()


def word(text: str, properties: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{escape(text)}</w:t></w:r></w:p>"


def odt(body: str, styles: str = "") -> bytes:
    return zipped(
        content_xml=f"<office:document-content {OPEN}><office:automatic-styles>{styles}</office:automatic-styles><office:body><office:text>{body}</office:text></office:body></office:document-content>"
    )


def pdf(*lines: str) -> bytes:
    """One page; "#" makes a line large, an empty one is a gap."""
    sizes = [24 if line.startswith("#") else 12 for line in lines]
    shown = "".join(
        f"/F {size} Tf ({line.strip('#')}) Tj 0 -{size + 4} Td "
        for size, line in zip(sizes, lines, strict=True)
    )
    stream = f"BT 50 700 Td {shown}ET".encode("latin-1")
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    made, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(made))
        made += b"%d 0 obj%s endobj\n" % (number, content)
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    return (
        made
        + f"xref\n0 6\n0000000000 65535 f \n{table}trailer<</Size 6/Root 1 0 R>>\nstartxref\n{len(made)}\n%%EOF".encode()
    )


def mail(*parts: tuple[str, bytes], head: str = "") -> bytes:
    inner = b"".join(
        b"--B\r\nContent-Type: %s\r\n\r\n%s\r\n" % (kind.encode(), body) for kind, body in parts
    )
    start = f"From: press@port.test\r\nSubject: =?koi8-r?B?8M/S1A==?=\r\nDate: Sun, 22 Nov 2026 09:15:00 +0500\r\n{head}"
    return (
        start.encode()
        + b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=B\r\n\r\n"
        + inner
        + b"--B--\r\n"
    )


def rtf(text: str) -> str:
    return "".join(f"\\'{byte:02x}" for byte in text.encode("cp1251"))


HEAD = [
    ("", "From: press@port.test"),
    ("", "Date: Sun, 22 Nov 2026 09:15:00 +0500"),
    ("", "Subject: Порт"),
]
PAIR = [("title", TITLE), ("", COPY)]
LIST = [("item", "1. Один"), ("item", "2. Два")]
DOCX = docx(
    word(TITLE, '<w:pStyle w:val="T"/>')
    + word(COPY)
    + "".join(
        word(one, '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>')
        for one in ("Один", "Два")
    )
)
ODT = odt(
    "<text:tracked-changes><text:p>Удалено</text:p></text:tracked-changes>"
    f'<text:p text:style-name="P1">{TITLE}</text:p><text:p>ОСТАН,<text:s/>22 ноября 2026 года.<text:line-break/>'
    "Сканер для контейнеров заработал<office:annotation><text:p>Верно?</text:p></office:annotation> в порту.</text:p>"
    '<text:list text:style-name="L1"><text:list-item><text:p>Один</text:p></text:list-item><text:list-item><text:p>Два</text:p></text:list-item></text:list>',
    '<style:style style:name="P1" style:parent-style-name="Title"/><text:list-style style:name="L1"><text:list-level-style-number/></text:list-style>',
)
RTF = rf"{{\rtf1\ansi\ansicpg1251{{\fonttbl{{\f0 Arial;}}}}\f0 {rtf(TITLE)}\par {rtf(COPY)}\par}}"


def blocks(name: str, data: bytes) -> list[tuple[str, str]]:
    return [(line.block, line.text) for line in read_document(name, data).lines]


def html_of(name: str, data: bytes) -> str:
    [entry] = read_entries(name, read_document(name, data).lines)
    return entry.content_html


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        pytest.param("a.txt", f"{TITLE}\n\n{COPY}".encode(), [("", TITLE), ("", COPY)], id="text"),
        pytest.param("a.TXT", "Чис\u00adло\u200b о\u0301пия".encode(), [("", "Число о\u0301пия")], id="signs that cannot be seen"),
        pytest.param("a.txt", b"A &laquo;B&raquo;&nbsp;&#8211; AT&amp;T ?a=1&copy=2 &#1;", [("", "A «B» – AT&T ?a=1&copy=2")], id="entities"),
        pytest.param("a.html", f"<h1>{TITLE}</h1><p>{COPY}</p>".encode(), PAIR, id="page"),
        pytest.param("a.htm", f'<meta charset="iso-8859-5"><h1>{TITLE}</h1>{COPY}'.encode("iso-8859-5"), PAIR, id="its own encoding"),
        pytest.param("a.txt", f"<h1>{TITLE}</h1>\n<p>{COPY}</p>".encode(), PAIR, id="fragment"),
        pytest.param("a.txt", f"<html><head><title>{TITLE}</title></head><body><p>{COPY}</p></body></html>".encode(), PAIR, id="page as text"),
        pytest.param("a.txt", f"{TITLE}\n\n<p>{COPY}</p>\n\nЕщё".encode(), [("", TITLE), ("", COPY), ("", "Ещё")], id="text and tags"),
        pytest.param("a.txt", f"<b>{TITLE}</b>\n{COPY}".encode(), [("", TITLE), ("", COPY)], id="stress only"),
        pytest.param("a.txt", b"A case of <Alfa> & partners\n5 < 6, p<q> <a@b.test>", [("", "A case of <Alfa> & partners"), ("", "5 < 6, p<q> <a@b.test>")], id="no tags"),
        pytest.param("a.html", b"<p>The firm <Alfa> &amp; &lt;Beta&gt;, 5 < 6, <a@b.test>, <my-tag>x</my-tag></p>", [("", "The firm <Alfa> & <Beta>, 5 < 6, <a@b.test>, x")], id="no tags among tags"),
        pytest.param("a.html", b'<meta property="article:published_time" content="2026-11-22T09:00"><nav>Menu</nav><article><h1>Port</h1>It opened.</article>About us', [("", "Date: 2026-11-22T09:00"), ("title", "Port"), ("", "It opened."), ("beside", "About us")], id="saved page"),
        pytest.param("a.html", b"<title>x</title><div><a href='/'>Home</a> | <a href='/n'>News</a></div><p>Press release</p><h1>Port</h1><a href='/'>It</a> opened.", [("beside", "Home | News"), ("", "Press release"), ("title", "Port"), ("", "It opened.")], id="a menu"),
        pytest.param("a.html", b"<div>Coast Times<br>Search</div><h1>Port</h1><p>It opened in May.</p><figure><figcaption>Photo: A. Poe</figcaption></figure><hr><p>Rain fell all day long.</p><ul><li><a href='/1'>Sun</a></li></ul>", [("", "Coast Times"), ("", "Search"), ("title", "Port"), ("", "It opened in May."), ("beside", "Photo: A. Poe"), ("", "* * *"), ("", "Rain fell all day long."), ("beside", "– Sun")], id="a page without main"),
        pytest.param("a.html", b"<h1>Port</h1><p>It opened in May.</p><ul><li><a href='/1'>A map</a></li><li>A clock</li></ul>", [("title", "Port"), ("", "It opened in May."), ("item", "– A map"), ("item", "– A clock")], id="a list with a link"),
        pytest.param("a.html", b"<p>Home</p><div role='main'><h1>Port</h1><p>It opened.</p></div><p>Terms</p>", [("title", "Port"), ("", "It opened."), ("beside", "Home"), ("beside", "Terms")], id="a role"),
        pytest.param("a.html", b"<p>Home</p><div><h1>Port</h1><div itemprop='articleBody'><p>It opened.</p></div></div><p>Terms</p>", [("title", "Port"), ("", "It opened."), ("beside", "Home"), ("beside", "Terms")], id="a body with its title"),
        pytest.param("a.txt", b"&lt;p&gt;Port&lt;/p&gt;&lt;p&gt;It opened.&lt;/p&gt;", [("", "Port"), ("", "It opened.")], id="tags as entities"),
        pytest.param("a.html", b"<p>The port took in a long line of<br>lorries.<br>It is open.<br><br>ok</p>", [("", "The port took in a long line of lorries."), ("", "It is open."), ("", "ok")], id="line breaks"),
        pytest.param("a.md", f'---\ntitle: "a \\"b\\" " \n---\n# {TITLE}\n\n{COPY}'.encode(), [("", 'title: a "b"'), *PAIR], id="Markdown with quotes"),
        pytest.param("a.md", f"---\ndate: '2026-11-22'\n---\n# {TITLE}\n\n{COPY}\n\n1. Один\n2. Два".encode(), [("", "date: 2026-11-22"), *PAIR, *LIST], id="Markdown"),
        pytest.param("a.docx", DOCX, [*PAIR, *LIST], id="Word"),
        pytest.param("a.txt", ODT, [("title", TITLE), ("", "ОСТАН, 22 ноября 2026 года."), ("", "Сканер для контейнеров заработал в порту."), *LIST], id="LibreOffice, by its content"),
        pytest.param("a.rtf", RTF.encode(), [("", TITLE), ("", COPY)], id="RTF"),
        pytest.param("a.pdf", pdf("Press", "#Port of Selkan gets", "#a scanner", "It looks through con-", "tainers.", "", "It was", "bought.", "Page 1 of 1"), [("", "Press"), ("", "Port of Selkan gets a scanner"), ("", "It looks through containers."), ("", "It was"), ("", "bought.")], id="PDF"),
        pytest.param("a.eml", mail(("text/plain; charset=windows-1251", COPY.encode("cp1251")), ("text/html", b"<p>x</p>")), [*HEAD, ("", COPY)], id="mail"),
        pytest.param("a.txt", mail(("text/plain", b"No HTML."), ("text/html; charset=utf-8", f"<ol><li>Один<li>Два</ol><p>{COPY}</p>".encode())), [*HEAD, *LIST, ("", COPY)], id="mail with a stub, as text"),
        pytest.param("a.eml", mail(("text/plain", b" "), ("message/rfc822", mail(("text/plain", b"It opened.")).replace(b"=B", b"=C").replace(b"--B", b"--C"))), [*HEAD, ("", "It opened.")], id="a mail in a mail"),
        pytest.param("a.eml", mail(("text/plain; format=flowed", b"The port \r\nopened.\r\n-- \r\nPress")), [*HEAD, ("", "The port opened."), ("", "--"), ("", "Press")], id="flowed mail"),
    ],
)  # fmt: skip
def test_each_format_becomes_lines(name, data, expected):
    """For the editor: copy is read as it comes, whatever program saved it and under whatever name."""
    assert blocks(name, data) == expected


@pytest.mark.parametrize(
    ("source", "html"),
    [
        pytest.param("<ul><li>one <b>two</b><ul><li>in</ul><li>three</ul>", "<ul>\n<li>one <b>two</b></li>\n<li>in</li>\n<li>three</li>\n</ul>", id="list"),
        pytest.param("<ol><li>one<li>two</ol>", "<ol>\n<li>one</li>\n<li>two</li>\n</ol>", id="numbers"),
        pytest.param("<table><tr><th>year<th>tons<tr><td>2025<td><p>5 &lt; 6</table>", "<table><tr><th>year</th><th>tons</th></tr><tr><td>2025</td><td>5 &lt; 6</td></tr></table>", id="table"),
        pytest.param("<blockquote><p>We open.</p></blockquote>", "<blockquote>\n<p>We open.</p>\n</blockquote>", id="quote"),
        pytest.param("<p>See <a href='https://a.test/?a=1&b=2' onclick=x>the <i>map</i></a>.</p>", '<p>See <a href="https://a.test/?a=1&amp;b=2">the <i>map</i></a>.</p>', id="link"),
        pytest.param("<p>Read <a href='java\nscript:alert(1)'>this</a> <a href='/in'>that</a>.<img src='https://t.test/p.gif' onerror=x></p><script>x</script><style>x</style>", "<p>Read this that.</p>", id="nothing live"),
        pytest.param("<table><tr><td><p>The port has <b>opened</b>.</p></td></tr></table>", "<p>The port has <b>opened</b>.</p>", id="a layout"),
    ],
)  # fmt: skip
def test_markup_stays_real_html_without_anything_live(source, html):
    """For the reader: a list looks like a list; for everyone: no script, no picture that reports home."""
    assert html_of("a.html", f"<h1>Port of Selkan opens</h1>{source}".encode()) == html


def test_lists_and_tables_are_readable_as_text():
    """For search, mails and readers without HTML."""
    data = b"# Port opens\n\n- a\n- b\n\n| x | y |\n|---|---|\n| 1 | 2 |\n"
    [entry] = read_entries("a.md", read_document("a.md", data).lines)
    assert entry.text == "– a\n\n– b\n\nx | y; 1 | 2"


def bomb(size: int) -> bytes:
    return docx(word("a " * size))


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        pytest.param("a.docx", bomb(3_000_000), "which is too much; split it", id="bomb"),
        pytest.param("a.docx", bomb(700_000), "paragraph that is too long", id="a long run"),
        pytest.param("a.docx", DOCX[:300], "cannot be read as an office document: it is damaged", id="half a file"),
        pytest.param("a.xlsx", zipped(xl__workbook_xml="<x/>"), "another office document", id="a workbook"),
        pytest.param("a.odt", zipped(content_xml=f"<x>{'<y>' * 400}{'</y>' * 400}</x>"), "damaged", id="deep ODF"),
        pytest.param("a.pdf", b"%PDF-1.4 and nothing", "cannot be read as a PDF: it is damaged", id="no PDF"),
        pytest.param("a.pdf", pdf("17"), "has no text: it is a scan", id="a scan"),
        pytest.param("a.html", b"<div>" * 5000, "nested too deeply", id="deep"),
        pytest.param("a.eml", mail(), "is a mail without text", id="an empty mail"),
        pytest.param("a.doc", b"\xd0\xcf\x11\xe0" + bytes(50), "an Office document", id="an old format"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(name, data, says):
    """For the operator: what is wrong and what to do."""
    with pytest.raises(DocumentError, match=says):
        read_document(name, data)


@pytest.mark.parametrize("data", [DOCX, RTF.encode(), pdf("Port")])
def test_a_missing_extra_is_named(data, monkeypatch):
    """For the operator: one command helps."""
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.partition(".")[0] in ("mammoth", "striprtf", "pypdf"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DocumentError, match=r'pip install "newsroom-digest\[office\]"'):
        read_document("a", data)


PIECES = st.sampled_from(
    ["<p>", "</p>", "<br>", "<li>", "<ul>", "<ol>", "</li>", "<table>", "<tr><td>", "<b>", "</b>", "<h1>", "<div>", "</div>", "<pre>", "<a href='https://a.test'>", "</a>",
     "<!--", "<script>", "<", "&", "&lt;", "# ", "- ", "| a | b |\n|--|--|\n", "> ", "`", "*", "[", "](", "\n\n", "\n", "Слово ", "word. ", "<Alfa>", "---\n", "a: b\n"]
)  # fmt: skip


@given(
    st.sampled_from(READABLE),
    st.binary(max_size=300) | st.lists(PIECES, max_size=40).map(lambda x: "".join(x).encode()),
)
@example(".md", b"---\n\n---\n")
@settings(max_examples=200, deadline=None)
def test_no_bytes_surprise_the_reader(ending, data):
    """For the operator: any bytes give lines in order, or one fault that names the document."""
    try:
        lines = read_document(f"a{ending}", data).lines
    except DocumentError:
        return
    assert [line.number for line in lines] == sorted({line.number for line in lines})
    for line in lines:
        assert line.text
        assert not {"<script", "<p", "<div"} & set(line.html.split())


@pytest.mark.parametrize("piece", ["<p>", "<b>", "<li>", "<table><tr><td>", "<a ", "<!--", "<", "&", "&lt;", "</p>", "<br>", "<Alfa>", "<pre>", "[", "`a", "*a ", "> ", "<a href=x>", "\n---", "x:\n"])  # fmt: skip
@pytest.mark.parametrize("name", ["a.html", "a.md", "a.txt", "a.eml"])
def test_reading_takes_time_in_proportion_to_the_text(name, piece):
    """For the operator: no document keeps the service busy."""

    def read(signs: int) -> None:
        try:
            read_document(name, ("word " + piece * (signs // len(piece)) + "<p>a</p>").encode())
        except DocumentError as fault:
            assert "nested" in fault.reason or "too many" in fault.reason  # noqa: PT017

    assert grows_in_proportion(read, 20_000)
