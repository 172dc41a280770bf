"""A list of addresses in any form that people keep: none is lost silently, none is made up."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.audience.suppressions import read_addresses

NAMES = st.text("Анна Boris'-.", max_size=8)
PEOPLE = st.lists(st.tuples(NAMES, st.integers(1, 99)), min_size=1, max_size=12)


def read(text: str) -> tuple[list[str], list[str]]:
    listed = read_addresses("left.csv", text.encode())
    return list(listed.addresses), [one.split(": ")[0] for one in listed.faults]


@pytest.mark.parametrize(
    ("text", "addresses", "faulty"),
    [
        pytest.param("email\na@x.test, b@x.test\n", ["a@x.test", "b@x.test"], [], id="two in a cell"),
        pytest.param("A@X.test\na@x.TEST\n", ["A@x.test"], [], id="one mailbox once"),
        pytest.param("a@пример.test\n", ["a@xn--e1afmkfd.test"], [], id="a domain in Cyrillic"),
        pytest.param("иван@пример.рф\n", ["иван@пример.рф"], [], id="a mailbox in Cyrillic"),
        pytest.param("Анна|a@x.test\nmailto:b@x.test\n", ["a@x.test", "b@x.test"], [], id="other signs around"),
        pytest.param("'a@x.test' <a@x.test>.\n", ["a@x.test"], [], id="quoted as Outlook does"),
        pytest.param("a@x.test\n\n \nb@\n", ["a@x.test"], [4], id="lines are counted with blank ones"),
        pytest.param("a@x.test;b@@x.test\n", ["a@x.test"], [1], id="a good one beside a bad one"),
        pytest.param("Name,Email,Manager\nA,a@x.test,boss@x.test\nB,,boss@x.test\n", ["a@x.test"], [3], id="another's column"),
        pytest.param('Email,Where\na@x.test,"Street 1\nAshgabat"\nb@,Mary\n', ["a@x.test"], [4], id="a cell of two lines"),
        pytest.param('Email,Why\n"a@x.test,gone\nb@x.test,gone\n', ["a@x.test", "b@x.test"], [], id="a quote that stays open"),
        pytest.param("E-mail Type,E-mail Address\nSMTP,a@x.test\n", ["a@x.test"], [], id="two columns of that name"),
        pytest.param("Почтовый индекс;Контакт\n744000;a@x.test\n", ["a@x.test"], [], id="a heading that misleads"),
        pytest.param("Кто ушёл\na@x.test\n", ["a@x.test"], [1], id="a heading that is unknown"),
    ],
)  # fmt: skip
def test_every_line_gives_an_address_or_a_fault(
    text: str, addresses: list[str], faulty: list[int]
) -> None:
    """For everybody on the list."""
    assert read(text) == (addresses, [f"left.csv, line {number}" for number in faulty])


@given(PEOPLE, st.sampled_from(";,\t"), st.booleans())
@settings(max_examples=60)
def test_a_table_gives_each_address_once(
    people: list[tuple[str, int]], delimiter: str, headed: bool
) -> None:
    """For any delimiter, with a heading or without."""
    rows = [f"{name}{delimiter}p{number}@x.test" for name, number in people]
    lines = [f"Name{delimiter}Email"] * headed + rows
    expected = list(dict.fromkeys(f"p{number}@x.test" for _, number in people))
    assert read("\n".join(lines)) == (expected, [])
