"""Sentences: one splitter for dates, headlines, summaries and themes."""

import time

import pytest

from digest.language.text import sentence_spans, sentences


@pytest.mark.parametrize(
    "parts",
    [
        ["They met in the U.S. Congress.", "It was brief."],
        ["The U.N. Office opened it.", "It works."],
        ["H.E. Vepa Hajiyev spoke.", "Ms. A. Mittal answered."],
        ["Выступили А.Б. Иванов и проф. Байрамова.", "Изъято 5 тыс. Таблеток нет."],
        ["“We are glad.”", "(This is new.)", "It is 3 p.m. now!", "5 came…", "More?"],
        ["«Мы рады!» – сказал министр.", "– Да."],
        ["A heading", "A paragraph below it."],
        ["It cost 4.5 million. it says so."],
    ],
)
def test_sentences_end_where_a_reader_ends_them(parts):
    """For the reader: no date, headline or theme is cut at an initial or an abbreviation."""
    text = "  " + "\n\n".join(parts) + " \n"
    assert sentences(text) == parts
    assert [text[start:end] for start, end in sentence_spans(text)] == parts
    if "A heading" not in parts:
        assert sentences(" ".join(parts)) == parts


@pytest.mark.parametrize("piece", [".", " ", "\n", ". ", ".\n", "A. ", "”", ".” ", "\n ", "a.b "])
def test_splitting_takes_time_in_proportion_to_the_text(piece):
    """For the operator: no document, whatever it holds, keeps the service busy."""
    began = time.process_time()
    sentence_spans("word " + piece * (400_000 // len(piece)) + "a")
    assert time.process_time() - began < 5
