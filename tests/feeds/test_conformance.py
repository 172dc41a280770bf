"""Every feed against the grammars and checks that others hold it to: RFC 4287 in RELAX NG, what feed
validators tell, the RSS Board's profile, and the shape of JSON Feed 1.1."""

import json
import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from lxml import etree

from digest.feeds.channels import channels, opml_bytes
from digest.feeds.formats import atom_bytes, json_bytes, rss_bytes
from digest.feeds.items import FeedView
from digest.language.text import foreign
from digest.model import UNDATED, DateSource, KnownDate
from tests.desks import MACHINE, ROOT, Desk
from tests.factories import MADE_AT, SEEN_AT, make_article, make_match, make_settings, make_sibling
from tests.feeds.validating import messages
from tests.feeds.views import make_view

NOW = SEEN_AT + timedelta(days=30)
ODD = [
    *(
        "<",
        "&",
        "]]>",
        "“quotes” 'and' \"more\"",
        "🚢👩‍👩‍👧🇹🇲",
        "e\u0301a\u0300o\u0302\u0323",
        "\u0007\u0001\x7f",
    ),
    *(
        "\u202eevil\u202c",
        "\u2066iso\u2069",
        "W" * 300,
        "</b>",
        "&lt;",
        "&#x26;",
        "&amp;amp;",
        "&copy;",
        "&apos;",
    ),
    *(
        "<Alfa>",
        "<anna@news.example>",
        "5 < 6",
        "p<q and q>r",
        "AT&T",
        "<b>bold</b>",
        "&nosuch;",
        "&#0;",
    ),
    *("<img src=x onerror=alert(1)>", "</p></title>", "<!-- note -->", "<![CDATA[x]]>", "<?xml?>"),
    *(
        "\ufeff\u2028\u00ad",
        "\ufffe\ufdd0\U0001ffff\u0085",
        "\ufffd",
        "\ud800",
        "𝔘𝔫𝔦",
        "ﷺ",
        "שלום",
        "مرحبا",
    ),
    *("{{ x }}", "%s", "\t", "İstanbul ß", "№ 5"),
]
"""What copy may contain, as it comes."""

SETTINGS = make_settings(
    sources=[
        {"name": f"s{n}", "title": foreign(text) or "x", "path": "x"} for n, text in enumerate(ODD)
    ]
)


def odd_views() -> dict[str, FeedView]:
    """A channel that holds everything odd; one that holds nothing; and the first archive."""
    articles, siblings = [], {}
    for number, raw in enumerate(ODD):
        text = foreign(raw)
        body = f"Officers met {number} partners: {text}".strip()
        articles.append(
            make_article(
                id=number + 1,
                source=f"s{number}",
                language=("en", "ru", "fr", "")[number % 4],
                title=text if number % 3 else f"Таможня {text} сообщает",
                byline=f"Anna {text} Orlova" if number % 5 else None,
                text=body,
                content_html=f'<h2>List</h2><ul><li>one</li></ul><p><a href="https://example.org/?a=1&amp;b=2">'
                f"{body.replace('&', '&amp;').replace('<', '&lt;')}</a></p>"
                "<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>b</td></tr></tbody></table>",
                complete=number % 7 != 1,
                published=UNDATED
                if number % 6 == 2
                else KnownDate(date(2026, 11, 2), DateSource.STATED, "2"),
                updated_at=SEEN_AT + timedelta(seconds=number, microseconds=number),
                corrected_at=SEEN_AT if number % 8 == 3 else None,
                corrected=("title", "text") if number % 8 == 3 else (),
                withdrawn_at=SEEN_AT if number % 9 == 4 else None,
                matches=(make_match(), make_match("youth")),
            )
        )
        siblings[number + 1] = [
            make_sibling(id=900 + number, title=text, source=f"s{number}"),
            make_sibling(id=950 + number, title=text, source=f"s{number}", language="en"),
        ]
    view = make_view(articles, siblings, settings=SETTINGS)
    return {
        "all": view,
        "ru": make_view([], slug="ru", settings=SETTINGS),
        "archives/all.1": replace(view, number=1, previous=None),
        "archives/all.2": replace(view, number=2, previous=1),
        "drugs": replace(make_view(articles[:3], slug="drugs", settings=SETTINGS), previous=7),
    }


VIEWS = odd_views()
FORMS = {"atom": atom_bytes, "rss": rss_bytes}
DOCUMENTS = {
    f"{name}.{form}": build(view, SETTINGS)
    for name, view in VIEWS.items()
    for form, build in FORMS.items()
} | {"feeds.opml": opml_bytes(channels(SETTINGS), SETTINGS, MADE_AT)}


def told(name: str, document: bytes, now: datetime = NOW) -> list[str]:
    return messages(document, f"https://news.example.org/feeds/{name}", now)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_validator_has_nothing_to_say(name: str) -> None:
    """For those who add the feed to a directory: no error and no warning, whatever the copy contains."""
    assert told(name, DOCUMENTS[name]) == []


def test_a_validator_has_nothing_to_say_of_what_is_published(filled: Desk) -> None:
    """The newsroom's own copy: every feed, and their list."""
    filled.publish()
    feeds = filled.settings.feeds.path
    paths = [path for path in sorted(feeds.rglob("*")) if path.suffix in {".atom", ".rss", ".opml"}]
    assert len(paths) > 30
    for path in paths:
        name = path.relative_to(feeds).as_posix()
        assert told(name, path.read_bytes(), MACHINE()) == [], name


BROKEN = [
    ("all.atom", b"<id>urn:uuid:", b"<id>urn:uuid:x", "InvalidUUID"),
    ("all.atom", b"<updated>2026", b"<updated>2036", "ImplausibleDate"),
    ("all.atom", b"Z</updated>", b"</updated>", "InvalidRFC3339Date"),
    ("all.atom", b'rel="self"', b'rel="me too"', "MissingSelf"),
    ("all.atom", b'rel="self"', b'rel="me too"', "UnregisteredAtomLinkRel"),
    ("all.atom", b"/feeds/all.atom", b"/feeds/ru.atom", "SelfDoesntMatchLocation"),
    ("all.atom", b"<updated>", b"<updated> ", "UnexpectedWhitespace"),
    ("all.atom", b"</subtitle>", b"</subtitle><icon>x</icon>", "UndefinedElement"),
    ("all.atom", b"<entry", b"<entry draft='yes'", "UnexpectedAttribute"),
    ("all.atom", b"<summary>", b"<summary>an &#x3C;/b> ", "ContainsUndeclaredHTML"),
    ("all.atom", b"<name>", b"<name>&#x3C;a@b.example> ", "ContainsEmail"),
    ("all.atom", b'hreflang="', b'hreflang="English ', "InvalidLanguage"),
    ("all.atom", b'type="html">', b'type="html">&#x3C;p onclick="x">', "SecurityRisk"),
    ("all.atom", b'type="html">', b'type="html">&#x3C;a href="x">', "ContainsRelRef"),
    ("all.atom", b"<title>", "<title>\u0085".encode(), "BadCharacters"),
    ("all.atom", b"<title>", b"<title>&", "SAXError"),
    ("archives/all.1.atom", b"<generator", b"<fh:archive/><generator", "ArchiveIncomplete"),
    ("all.rss", b"<guid ", b"<comments/><guid ", "UndefinedElement"),
    ("all.rss", b'isPermaLink="false"', b"", "InvalidPermalink"),
    ("all.rss", b"<ttl>", b"<ttl>-", "InvalidPositiveInteger"),
    ("all.rss", b"+0000</lastBuildDate>", b"UTC</lastBuildDate>", "InvalidRFC2822Date"),
    ("all.rss", b"</lastBuildDate>", b"</lastBuildDate><lastBuildDate/>", "DuplicateElement"),
    ("all.rss", b" (Ashgabat Desk)", b"", "MissingRealName"),
    ("all.rss", b"<description>", b"<description hidden=''>", "UnexpectedAttribute"),
    ("all.rss", b"<title>", b"<title>a &lt;b", "CharacterData"),
    ("all.rss", b"&#x26;", b"&amp;", "ContainsHTML"),
    (
        "feeds.opml",
        b"</head>",
        b"<docs>http://opml.org/spec2.opml</docs></head>",
        "UndefinedElement",
    ),
    ("feeds.opml", b' version="2.0"', b"", "MissingAttribute"),
    ("feeds.opml", b"<ownerEmail>", b"<ownerEmail>Desk ", "InvalidContact"),
]


@pytest.mark.parametrize(("name", "old", "new", "message"), BROKEN)
def test_the_checks_can_tell(name: str, old: bytes, new: bytes, message: str) -> None:
    """What the validator of these tests would say, if we made such a mistake."""
    document = DOCUMENTS[name]
    assert old in document
    found = {one.split(":")[0] for one in told(name, document.replace(old, new))}
    assert message in found


GRAMMAR = etree.RelaxNG(etree.parse(ROOT / "tests/data/atom.rng"))


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name.endswith(".atom")])
def test_atom_follows_its_grammar(name: str) -> None:
    """RFC 4287, Appendix B, with elements of other namespaces."""
    GRAMMAR.assertValid(etree.fromstring(DOCUMENTS[name]))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"<id>", b"<id/><id>"),
        (b'href="', b'ref="'),
        (b"<updated>2026", b"<updated>26"),
        (b' term="', b' name="'),
        (b"<summary>", b"<summary type='markdown'>"),
        (b"</entry>", b"<abstract/></entry>"),
    ],
)
def test_the_grammar_can_tell(old: bytes, new: bytes) -> None:
    """A second id, a link that leads nowhere, a date of two digits, an element that Atom does not know."""
    broken = DOCUMENTS["all.atom"].replace(old, new)
    assert broken != DOCUMENTS["all.atom"]
    assert not GRAMMAR.validate(etree.fromstring(broken))


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if name.endswith(".rss")])
def test_rss_follows_the_profile(name: str) -> None:
    """RSS Board profile: the elements it advises against are not used; dates have four digits of the
    year; a guid that is no address says so; one description; metadata stands before the items."""
    channel = etree.fromstring(DOCUMENTS[name])[0]
    names = [child.tag for child in channel]
    assert not {"cloud", "textInput", "rating", "skipDays", "skipHours", "category"} & set(names)
    if "item" in names:
        assert set(names[names.index("item") :]) <= {"item"}
    for item in channel.iterfind("item"):
        assert len(item.findall("description")) == 1
        assert item.find("author") is None  # which must be an address: dc:creator is the name
        assert (item.find("guid").get("isPermaLink"), len(item.findall("link"))) == ("false", 1)
    for day in channel.iter("pubDate", "lastBuildDate"):
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d \+0000", day.text)


def absolute(value: Any) -> bool:
    return isinstance(value, str) and re.match(r"(https?|mailto):\S+$", value) is not None


def text(value: Any) -> bool:
    return isinstance(value, str)


def moment(value: Any) -> bool:
    return text(value) and datetime.fromisoformat(value).tzinfo is not None


def language(value: Any) -> bool:
    return text(value) and re.fullmatch(r"[a-z]{2,3}(-\w+)*", value) is not None


def authors(value: Any) -> bool:
    return isinstance(value, list) and all(
        fits(one, {"name": text, "url": absolute}) for one in value
    )


def tags(value: Any) -> bool:
    return isinstance(value, list) and all(map(text, value))


ITEM = {
    **dict.fromkeys(("id", "title", "content_html", "content_text", "summary"), text),
    **dict.fromkeys(("url", "external_url", "image", "banner_image"), absolute),
    **{"date_published": moment, "date_modified": moment, "authors": authors, "tags": tags},
    "language": language,
}
FEED = {
    **dict.fromkeys(("version", "title", "description", "user_comment"), text),
    **dict.fromkeys(("home_page_url", "feed_url", "next_url", "icon", "favicon"), absolute),
    **{"authors": authors, "language": language, "expired": lambda value: isinstance(value, bool)},
    "hubs": lambda value: all(fits(one, {"type": text, "url": absolute}) for one in value),
    "items": lambda value: all(fits(one, ITEM) for one in value),
}


def fits(value: dict[str, Any], shape: dict[str, Any]) -> bool:
    """Each key is known and its value valid; keys that begin with "_" are extensions with an object."""
    for key, one in value.items():
        known = isinstance(one, dict) if key.startswith("_") else key in shape and shape[key](one)
        assert known, f"{key}: {one!r:.200}"
    return True


@pytest.mark.parametrize("name", ["all", "ru", "drugs"])
def test_json_has_the_shape_of_its_version(name: str) -> None:
    """JSON Feed 1.1: known keys with values of their types; ids that occur once; one content at least."""
    feed = json.loads(json_bytes(VIEWS[name], SETTINGS))
    assert fits(feed, FEED)
    ids = [item["id"] for item in feed["items"]]
    assert len(set(ids)) == len(ids)
    for item in feed["items"]:
        assert ("content_html" in item) != ("content_text" in item)
        assert item.get("content_html", item.get("content_text"))
