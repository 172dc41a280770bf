"""How well the packaged lexicons file labelled articles, beside three plain ways, and how fast.

    python bench/themes.py LABELS.jsonl [--texts 400]

LABELS.jsonl holds labelled articles as `digest themes evaluate` reads them. The plain ways are
measured in the same run: the theme's name alone; its name and three stems, in the title or twice in
the text; and TF-IDF with logistic regression (needs scikit-learn), each item judged by a model that
has seen only the other four fifths. Speed is measured for the articles as they are, and for texts of 2 kB
joined from them, as CPU time of one core.
"""

import argparse
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from digest.config.settings import ThemeSettings
from digest.themes.classify import classify
from digest.themes.evaluation import Evaluation, LabelledItem, evaluate, read_labels
from digest.themes.lexicon import Lexicon, compile_lexicon, shipped_names

STEMS = {
    "drugs": (("drug", "наркот"), ("narco", "opi", "heroin", "нарко", "опи", "героин")),
    "customs": (("customs", "тамож"), ("cargo", "container", "port control", "груз", "контейнер", "контраб")),
    "corruption": (("corrupt", "корруп"), ("brib", "uncac", "asset", "взят", "подкуп", "актив")),
    "youth": (("youth", "молод"), ("young", "student", "school", "юн", "студент", "школ")),
}  # fmt: skip
LENGTH = 2_000  # bytes of a text
FOLDS = 5
SEED = 1
Judge = Callable[[LabelledItem], set[str]]


@dataclass
class Counts:
    """Decisions of one way to file articles, from which its F1 follows."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    @property
    def f1(self) -> float:
        return 2 * self.right / max(1, 2 * self.right + self.wrong + self.missed)

    def add(self, judged: set[str], item: LabelledItem, themes: Iterable[str]) -> None:
        for theme in themes:
            if theme in item.allowed:
                continue
            wanted = theme in (item.themes or ())
            self.right += wanted and theme in judged
            self.wrong += theme in judged and not wanted
            self.missed += wanted and theme not in judged


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("labels", type=Path)
    parser.add_argument(
        "--texts", type=int, default=400, help="how many texts of 2 kB; default 400"
    )
    arguments = parser.parse_args()
    with arguments.labels.open(encoding="utf-8") as lines:
        items = [one for one in read_labels(lines, arguments.labels.name) if one.themes is not None]
    lexicon = compile_lexicon([ThemeSettings(name=n, title={"en": n}) for n in shipped_names()])
    ours = evaluate(lexicon, items)
    filed = {one.item.id: set(one.themes) for one in ours.items}
    show_quality(items, lambda item: filed[item.id])
    show_intervals(ours)
    show_speed(lexicon, items, arguments.texts)


def show_quality(items: Sequence[LabelledItem], ours: Judge) -> None:
    """F1 of each way in all, by language and by theme."""
    languages = sorted({item.language for item in items})
    columns = ["all", *languages, *STEMS]
    print(f"{len(items)} labelled articles; F1\n")
    print(f"{'':34}" + "".join(f"{column:>12}" for column in columns))
    ways: list[tuple[str, Judge]] = [
        ("digest", ours),
        ("the theme's name", by_name),
        ("name and three stems", by_stems),
    ]
    if (learned := by_learning(items)) is None:
        print("(scikit-learn is not installed: no TF-IDF)")
    else:
        ways.append(("TF-IDF + logistic regression", learned))
    for name, judge in ways:
        counts = {column: Counts() for column in columns}
        for item in items:
            judged = judge(item)
            counts["all"].add(judged, item, STEMS)
            counts[item.language].add(judged, item, STEMS)
            for theme in STEMS:
                counts[theme].add(judged, item, [theme])
        print(f"{name:34}" + "".join(f"{counts[column].f1:12.3f}" for column in columns))


def show_intervals(ours: Evaluation) -> None:
    """Ours with precision, recall and the 95 % confidence interval of F1."""
    print(f"\n{'digest':12}{'precision':>12}{'recall':>12}{'F1':>12}   95 % interval of F1")
    rows = {"all": ours.overall, **ours.by_language, **ours.by_theme}
    for name, measure in rows.items():
        values = [measure.precision.value, measure.recall.value, measure.f1.value]
        figures = "".join(f"{'-' if v is None else format(v, '.3f'):>12}" for v in values)
        low, high = measure.f1.low, measure.f1.high
        print(f"{name:12}{figures}   " + ("-" if low is None else f"{low:.3f} to {high:.3f}"))


def by_name(item: LabelledItem) -> set[str]:
    """A theme whose name is anywhere."""
    text = f"{item.title} {item.text}".casefold()
    return {theme for theme, (names, _) in STEMS.items() if any(name in text for name in names)}


def by_stems(item: LabelledItem) -> set[str]:
    """A theme with a stem in the title, or two stems in the text."""
    title, text = item.title.casefold(), item.text.casefold()
    return {
        theme
        for theme, (names, stems) in STEMS.items()
        if any(stem in title for stem in (*names, *stems))
        or sum(text.count(stem) for stem in (*names, *stems)) > 1
    }


def by_learning(items: Sequence[LabelledItem]) -> Judge | None:
    """TF-IDF over words and beginnings of words, one logistic regression a theme, cross-validated."""
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline, make_union
    except ImportError:
        return None
    shuffled = list(range(len(items)))
    random.Random(SEED).shuffle(shuffled)  # noqa: S311 - folds of a benchmark
    texts = [f"{item.title} {item.text}" for item in items]
    judged: dict[str, set[str]] = {item.id: set() for item in items}
    for fold in range(FOLDS):
        held = shuffled[fold::FOLDS]
        known = [i for i in shuffled if i not in set(held)]
        for theme in STEMS:
            labels = [theme in (items[i].themes or ()) for i in known]
            if len(set(labels)) < 2:
                continue
            model = make_pipeline(
                make_union(
                    TfidfVectorizer(sublinear_tf=True),
                    TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True),
                ),
                LogisticRegression(C=30, class_weight="balanced", max_iter=1000),
            )
            model.fit([texts[i] for i in known], labels)
            for i, theirs in zip(held, model.predict([texts[i] for i in held]), strict=True):
                if theirs:
                    judged[items[i].id].add(theme)
    return lambda item: judged[item.id]


def show_speed(lexicon: Lexicon, items: Sequence[LabelledItem], texts: int) -> None:
    as_they_are = [(item.title, item.text, item.language) for item in items]
    quiet = [item for item in items if not item.themes]
    rows = [
        ("the articles as they are", as_they_are),
        ("2 kB of articles with a theme", joined([i for i in items if i.themes], texts)),
        ("2 kB of articles without one", joined(quiet, texts)),
        ("2 kB of all", joined(items, texts)),
    ]
    for language in sorted({item.language for item in items}):
        spoken = [item for item in items if item.language == language]
        rows.append((f"2 kB of all in {language!r}", joined(spoken, texts)))
    print()
    for name, copies in rows:
        if copies:
            size = statistics.mean(len(text.encode()) for _, text, _ in copies)
            hits = statistics.mean(hits_in(lexicon, copy) for copy in copies)
            print(
                f"{name:34}{rate(lexicon, copies):10,.0f} a second ({size:,.0f} bytes, {hits:.0f} terms)"
            )
    compile_ms = statistics.median(compile_seconds() for _ in range(5)) * 1000
    print(f"{'compiling, in a new process':34}{compile_ms:10,.0f} ms")


def joined(items: Sequence[LabelledItem], texts: int) -> list[tuple[str, str, str]]:
    """Texts of LENGTH bytes, each of one language, in paragraphs of complete articles."""
    copies = []
    by_language: dict[str, list[LabelledItem]] = {}
    for item in items:
        by_language.setdefault(item.language, []).append(item)
    for n in range(texts if items else 0):
        first = items[n % len(items)]
        pool = by_language[first.language]
        text, at = "", n
        while len(text.encode()) < LENGTH:
            text += f"{pool[at % len(pool)].text}\n\n"
            at += 1
        copies.append((first.title, text.encode()[:LENGTH].decode(errors="ignore"), first.language))
    return copies


def hits_in(lexicon: Lexicon, copy: tuple[str, str, str]) -> int:
    title, text, language = copy
    scores = classify(lexicon, title=title, text=text, language=language)
    return sum(len(score.hits) for score in scores)


def rate(lexicon: Lexicon, copies: Sequence[tuple[str, str, str]]) -> float:
    """Classifications a second of CPU time, the best of seven rounds."""
    rounds = []
    for _ in range(7):
        start = time.process_time()
        for title, text, language in copies:
            classify(lexicon, title=title, text=text, language=language)
        rounds.append(len(copies) / (time.process_time() - start))
    return max(rounds)


def compile_seconds() -> float:
    """Reading and compiling the packaged lexicons for every language, without Python's own start."""
    code = (
        "import time\n"
        "from digest.config.settings import ThemeSettings\n"
        "start = time.perf_counter()\n"
        "from digest.themes.lexicon import compile_lexicon\n"
        "from digest.themes.lexicon import shipped_names\n"
        "themes = [ThemeSettings(name=n, title={'en': n}) for n in shipped_names()]\n"
        "lexicon = compile_lexicon(themes)\n"
        "for language in ('en', 'ru', 'tk', ''):\n"
        "    lexicon.finder(language)\n"
        "print(time.perf_counter() - start)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return float(done.stdout)


if __name__ == "__main__":
    main()
