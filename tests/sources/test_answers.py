"""When servers want to be asked again, and pages that are not what was asked for."""

from datetime import UTC, datetime, timedelta

import pytest

from digest.sources.answers import Answer, blocked, fresh_until, retry_after, shown

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
HTML = {"content-type": "text/html; charset=utf-8"}
ARTICLE = "<p>" + "The ministry seized two tonnes of heroin at the border. " * 20 + "</p>"


def answer(body: str = "", status: int = 200, url: str = "https://press.example/a", **headers: str):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(url, status, {**HTML, **names}, body.encode(), None, {})


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("120", timedelta(minutes=2)),
        ("0", timedelta(minutes=1)),
        ("9" * 40, timedelta(days=7)),
        ("Mon, 30 Nov 2026 13:00:00 GMT", timedelta(hours=1)),
        ("Mon, 30 Nov 2020 13:00:00 GMT", timedelta(minutes=1)),
        ("Mon, 30 Nov 9999 23:59:59 -2359", timedelta(days=7)),
        ("Mon, 30 Nov 2099 13:00:00 GMT", timedelta(days=7)),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after(text: str, after: timedelta | None):
    given = retry_after(answer(status=503, retry_after=text), NOW)
    assert given == (NOW + after if after else None)


@pytest.mark.parametrize(
    ("headers", "minutes"),
    [
        ({"cache_control": "public, max-age=600"}, 10),
        ({"cache_control": 'MAX-AGE="600"', "age": "300"}, 5),
        ({"cache_control": "s-maxage=600"}, None),
        ({"cache_control": "max-age=600, no-cache"}, None),
        ({"cache_control": "no-store"}, None),
        ({"cache_control": "max-age=0", "expires": "Mon, 30 Nov 2026 13:00:00 GMT"}, None),
        ({"cache_control": "max-age=99999999999999999999"}, 24 * 60),
        ({"cache_control": "max-age=-1"}, None),
        ({"expires": "Mon, 30 Nov 2026 13:00:00 GMT"}, None),
        ({}, None),
    ],
)
def test_fresh_until(headers: dict[str, str], minutes: int | None):
    fresh = fresh_until(answer(**headers), NOW)
    assert fresh == (NOW + timedelta(minutes=minutes) if minutes else None)


CLOUDFLARE = (
    "<!DOCTYPE html><html><head><title>Just a moment...</title></head><body><noscript>Enable "
    "JavaScript and cookies</noscript><script>window._cf_chl_opt={}</script></body></html>"
)
SHELL = (
    "<html><title>News</title><body><noscript><p>You need JavaScript"
    + " to run this app" * 20
    + "</p></noscript><div id=root></div><!-- "
    + "x" * 500
    + " --><script src=/app.js></script></body></html>"
)
LOGIN = "<html><title>{}</title><form><input type=password name=p></form>{}</html>"
BLOCKED = {
    "Cloudflare": (answer(CLOUDFLARE, 403), "challenge"),
    "Cloudflare, 503": (answer(CLOUDFLARE, 503), "challenge"),
    "Cloudflare, 200": (answer(CLOUDFLARE), "challenge"),
    "by header": (answer("", 403, cf_mitigated="challenge"), "challenge"),
    "DDoS-Guard": (
        answer("<html><title>DDoS-Guard</title><script src=/.well-known/ddos-guard/x>", 403),
        "challenge",
    ),
    "hCaptcha": (
        answer("<html><title>Site</title><script src=https://hcaptcha.com/1/api.js>", 403),
        "challenge",
    ),
    "in Russian": (
        answer("<html><title>Проверка, что вы не робот</title>Подождите", 403),
        "challenge",
    ),
    "401": (answer("", 401), "login"),
    "403, with a form": (answer(LOGIN.format("Members", ""), 403), "login"),
    "403": (answer("<html><title>403 Forbidden</title>nginx", 403), "answer"),
    "451": (answer("", 451), "answer"),
    "a login page": (answer(LOGIN.format("Sign in", ARTICLE)), "login"),
    "a login's address": (
        answer(LOGIN.format("Site", ARTICLE), url="https://press.example/wp-login.php?to=x"),
        "login",
    ),
    "consent by address": (
        answer("<html>" + ARTICLE, url="https://consent.press.example/v2?continue=x"),
        "consent",
    ),
    "consent by title": (
        answer("<html><title>Before you continue</title>We use cookies</html>"),
        "consent",
    ),
    "JavaScript": (answer(SHELL), "script"),
    "an article": (answer(f"<html><title>Heroin seized</title>{ARTICLE}"), None),
    "an article with a login": (answer(LOGIN.format("Heroin seized", ARTICLE)), None),
    "an article with a captcha": (
        answer(f"<html><title>Seized</title>{ARTICLE}<script src=https://hcaptcha.com/1/api.js>"),
        None,
    ),
    "an article about captchas": (
        answer(f"<html><title>Captcha farms raided</title>{ARTICLE}"),
        None,
    ),
    "an article about consent": (
        answer(f"<html><title>Age of consent raised</title>{ARTICLE}", url="https://a.b/consent-age"),
        None,
    ),
    "a short page": (answer("<html><title>Note</title><p>The office is closed today.</p>"), None),
    "a feed as HTML": (answer("<?xml version='1.0'?><rss><title>captcha</title></rss>"), None),
    "404": (answer("<html><title>Not found</title>", 404), None),
    "500": (answer("", 500), None),
    "no text": (answer(""), None),
    "bytes": (answer("\0<html\ud7ff\0"), None),
}  # fmt: skip


@pytest.mark.parametrize(("given", "kind"), BLOCKED.values(), ids=BLOCKED)
def test_blocked(given: Answer, kind: str | None):
    error = blocked(given, wants_page=True)
    assert (error.kind if error else None) == kind
    assert error is None or "to=x" not in str(error)


def test_an_empty_page_is_only_a_fault_of_a_page():
    assert blocked(answer(SHELL), wants_page=False) is None


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://press.example/feed?token=abc#x", "https://press.example/feed?…"),
        ("https://me:secret@press.example/", "https://press.example/"),
        ("http://[::1", "http://[::1"),
        ("https://a/\x1b[31m\n", "https://a/"),
    ],
)
def test_shown(url: str, text: str):
    assert shown(url) == text
