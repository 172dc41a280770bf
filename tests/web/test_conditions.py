"""What conditional requests mean (RFC 9110)."""

from datetime import UTC, datetime

import pytest

from digest.web.conditions import best_coding, is_unchanged

TAG = b'"abc"'
MODIFIED = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
SAME, OLDER = b"Sun, 22 Nov 2026 08:00:00 GMT", b"Sun, 22 Nov 2026 07:59:59 GMT"


@pytest.mark.parametrize(
    ("tags", "date", "unchanged"),
    [
        pytest.param(None, None, False, id="no condition"),
        pytest.param(b'"abc"', None, True, id="the tag"),
        pytest.param(b'W/"abc"', None, True, id="weak comparison"),
        pytest.param(b'"x", W/"y" ,"abc"', None, True, id="a list"),
        pytest.param(b"*", None, True, id="any"),
        pytest.param(b'"x"', None, False, id="another tag"),
        pytest.param(b"abc", None, False, id="no quotes, no tag"),
        pytest.param(b'"xabc"', None, False, id="a tag that ends like it"),
        pytest.param(None, SAME, True, id="the same second"),
        pytest.param(None, OLDER, False, id="changed since"),
        pytest.param(None, b"yesterday", False, id="no date counts as absent"),
        pytest.param(None, SAME[:-3] + b"+" + b"9" * 20, False, id="an offset of any length"),
        pytest.param(b'"x"', SAME, False, id="the tag beats the date"),
        pytest.param(b'"abc"', OLDER, True, id="the tag beats the date, too"),
    ],
)
def test_a_condition_is_read_as_the_standard_says(tags, date, unchanged):
    """A reader that has these bytes gets 304, and no other one does."""
    assert is_unchanged(TAG, MODIFIED, tags, date) is unchanged


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        pytest.param(b"gzip, deflate, br", b"br", id="as browsers say"),
        pytest.param(b"gzip, deflate", b"gzip", id="as readers say"),
        pytest.param(b"GZIP", b"gzip", id="in capitals"),
        pytest.param(b"x-gzip", b"gzip", id="its old name"),
        pytest.param(b"gzip;q=0.5", b"gzip", id="liked less"),
        pytest.param(b"br;q=0.1, gzip;q=0.8", b"gzip", id="liked better"),
        pytest.param(b"gzip;q=0", None, id="refused"),
        pytest.param(b"*", b"br", id="anything"),
        pytest.param(b"gzip; q=0.000, br;q=0, *", None, id="anything but"),
        pytest.param(b"br;q=0, *", b"gzip", id="anything but the first"),
        pytest.param(b"gzip;q=0.5, identity", None, id="rather plain"),
        pytest.param(b"zstd", None, id="another"),
        pytest.param(b"", None, id="none"),
    ],
)
def test_a_coding_goes_only_to_who_takes_it(accepted, coding):
    """Accept-Encoding with its weights."""
    assert best_coding(accepted) == coding
