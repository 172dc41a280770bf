"""A dateline is separated from the copy after it, in each form that wires use."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.language.days import dateline_end, leading_dateline

OWN = "Суд вынес приговор."


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("ASHGABAT, 22 November 2026. ", "ASHGABAT, 22 November 2026", id="capitals"),
        pytest.param("Ashgabat, Nov 22 (TDH) – ", "Ashgabat, Nov 22 (TDH)", id="agency and dash"),
        pytest.param("АШХАБАД, 22 ноября. – ", "АШХАБАД, 22 ноября", id="stop and dash"),
        pytest.param("Ашхабад, 22 ноября 2026 года, ТДХ – ", "Ашхабад, 22 ноября 2026 года, ТДХ", id="agency by a comma"),
        pytest.param("Ашхабад, 22 ноября 2026 г. ", "Ашхабад, 22 ноября 2026 г", id="г."),
        pytest.param("Ashgabat, 22 Nov. ", "Ashgabat, 22 Nov", id="shortened month"),
        pytest.param("Мары, воскресенье, 22 ноября — ", "Мары, воскресенье, 22 ноября", id="day"),
        pytest.param("г. Мары, 22.11.2026. ", "г. Мары, 22.11.2026", id="numbers"),
        pytest.param("ASHGABAT, Turkmenistan, Nov. 22, 2026 (AP) — ", None, id="country"),
        pytest.param("Ашхабад. 22 ноября. ИНТЕРФАКС - ", None, id="stops"),
        pytest.param("АШХАБАД, 22 ноя — РИА Новости. ", "АШХАБАД, 22 ноя", id="carried by"),
        pytest.param("22 November 2026, Ashgabat. ", "22 November 2026, Ashgabat", id="day first"),
        pytest.param("22 ноября. ", "22 ноября", id="the day alone"),
        pytest.param("Ashgabat, 22 November 2026\n\n", "Ashgabat, 22 November 2026", id="a line"),
        pytest.param("Ashgabat (nCa) — ", "Ashgabat (nCa)", id="no day"),
        pytest.param("NEW YORK (AP) — ", "NEW YORK (AP)", id="no day, two words"),
    ],
)  # fmt: skip
def test_copy_starts_after_its_dateline(line: str, words: str | None) -> None:
    """For themes and stories: where and when it was written is no part of what it tells."""
    assert leading_dateline(line + OWN) == (words or line.rstrip(" –—-"))
    assert (line + OWN)[dateline_end(line + OWN) :] == OWN


@pytest.mark.parametrize(
    "copy",
    [
        pytest.param("On 22 November 2026, police met.", id="a sentence"),
        pytest.param("22 ноября 2026 г. Президент подписал указ.", id="a sentence after г."),
        pytest.param("22 November 2026 was cold – all stayed in.", id="a day and a verb"),
        pytest.param("22 ноября – День учителя.", id="a day that is marked"),
        pytest.param("Полиция Ашхабада 22 ноября 2026 года провела рейд.", id="a town and a day"),
        pytest.param("The Container Control Programme (CCP) – it began here.", id="a name"),
        pytest.param("Управление ООН (УНП ООН) – партнёр ведомства.", id="a Russian name"),
        pytest.param("Ashgabat, the capital, grew. It was 2026.", id="a town alone"),
        pytest.param("Ashgabat, 22 November 2026", id="nothing after it"),
        pytest.param("", id="nothing"),
    ],
)
def test_a_sentence_is_no_dateline(copy: str) -> None:
    """For the reader: nothing that tells of the event is taken for its dateline."""
    assert dateline_end(copy) == 0


@given(
    st.one_of(
        st.text(max_size=200),
        st.text(alphabet="АшхабадASHGT 0123456789.,()/–-ноября\nNov", max_size=200),
    )
)
@settings(max_examples=100, deadline=None)
def test_any_text_has_copy_left(text: str) -> None:
    """For ingest: whatever comes, a dateline is found within it and never all of it."""
    end = dateline_end(text)
    assert 0 <= end < max(1, len(text))
    assert not end or text.startswith(leading_dateline(text) or "-")
