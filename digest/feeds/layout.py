"""What a place of published files has and should have: its manifest, and one run of `publish` there."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait

from digest.feeds.bucket import Bucket
from digest.feeds.files import MANIFEST, NAME, Folder, PublishReport, part_of
from digest.feeds.pages import article_of

HEAD = f"{MANIFEST}/head"
Make = Callable[[Sequence[str]], Iterable[tuple[str, bytes]]]


class Layout:
    """One run of `publish` in a place; if `some`, only what may have changed there, else all.

    The manifest is in parts, and names a file before it is written and until it is deleted, so a crash
    leaves no file that we forget. `head` is the token of the last run, what else all of it was made
    from, the stamp of what was there then, and how many files.
    """

    def __init__(self, place: Folder | Bucket) -> None:
        self.place = place
        self.head = [*place.read(HEAD).split(), *4 * ["0"]][:4]
        self.some = self.changed = False
        self._parts = place.parts()
        self._more = 0
        self._written: list[str] = []
        self._appeared: list[int] = []
        self._laid: dict[str, list[str]] = {}
        self._pool = ThreadPoolExecutor(place.at_once)

    def stale(
        self, part: str, wanted: Mapping[str, str], known: Mapping[str, str] | None = None
    ) -> list[str]:
        """Those of these files that are not there as they should be, so that `lay` asks for them."""
        known = self._known(part) if known is None else known
        noted = {name: known.get(name, "").partition(" ") for name in wanted}
        return [
            name
            for name, mark in wanted.items()
            if not mark
            or noted[name][0] != mark
            or not self.place.holds(name, noted[name][2], look=not self.some)
        ]

    def lay(
        self,
        part: str,
        wanted: Mapping[str, str],
        make: Make,
        *,
        among: Iterable[str] = (),
        seconds: Callable[[str], int] = lambda _: 300,
    ) -> None:
        """Make the place hold these files of a part, and nothing else of it; with `some` nothing else
        of those `among`, if any are named. What has to go goes in `finish`.

        `wanted` maps each name to a mark of what the file is made from, "" where that is not known.
        `make` yields the files of the names it gets, in their order, one at a time. It is not asked for
        a file with the same mark and state as before. Readers may keep a file for `seconds`.
        """
        known = self._known(part)
        asked = self.stale(part, wanted, known)
        within = (set(among) if self.some else None) or known
        self._laid[part] = [name for name in known if name not in wanted and name in within]
        self._more += len(wanted.keys() - known.keys() if self.some else wanted)
        if not wanted.keys() <= known.keys():
            self._note(part, {**dict.fromkeys(wanted, ""), **known})
        notes = {name: known.get(name, "") for name in (*known, *wanted)}
        states = {name: notes[name].partition(" ")[2] for name in asked}
        for name, put in self._put(make(asked) if asked else (), states, seconds):
            changed, state = put.result()
            notes[name] = f"{wanted[name]} {state}" if wanted[name] and state else ""
            if changed:
                self._written.append(name)
                if self._parts and name not in known and (article := article_of(name)) is not None:
                    self._appeared.append(article)
        if notes != known:
            self._note(part, notes)

    def _put(
        self,
        files: Iterable[tuple[str, bytes]],
        states: Mapping[str, str],
        seconds: Callable[[str], int],
    ) -> Iterator[tuple[str, Future[tuple[bool, str]]]]:
        """Several at a time, and never many in memory."""
        waiting: deque[tuple[str, Future[tuple[bool, str]]]] = deque()
        put = self.place.put
        try:
            for name, data in files:
                future = self._pool.submit(put, name, data, states.get(name, ""), seconds(name))
                waiting.append((name, future))
                if len(waiting) > 2 * self.place.at_once:
                    yield waiting.popleft()
            yield from waiting
        finally:
            wait([future for _, future in waiting])

    def finish(self) -> PublishReport:
        """Delete what has gone: after all else, so that nothing names what is not there."""
        for part in () if self.some else self._parts - self._laid.keys():
            self._laid[part] = list(self._known(part))
        for part, gone in self._laid.items():
            if gone:
                self.place.delete(gone)
                known = self._known(part)
                self._note(part, {name: known[name] for name in known.keys() - set(gone)})
        self._pool.shutdown()
        removed = sorted(name for gone in self._laid.values() for name in gone)
        if self.some:
            self._more += int(self.head[3]) - len(removed)
        unchanged = self._more - len(self._written)
        return PublishReport(tuple(self._written), unchanged, tuple(removed), tuple(self._appeared))

    def sign(self, token: str, basis: str) -> None:
        """Say that all is there, as of the run with that token."""
        self.place.note(HEAD, f"{token} {basis} {self.place.stamp()} {self._more}\n")

    def _known(self, part: str) -> dict[str, str]:
        lines = self.place.read(f"{MANIFEST}/{part}").splitlines()
        parts = (line.partition(" ") for line in lines)
        ours = (one for one in parts if NAME.fullmatch(one[0]) and part_of(one[0]) == part)
        return {name: note for name, _, note in ours}

    def _note(self, part: str, notes: Mapping[str, str]) -> None:
        lines = (f"{name} {notes[name]}".rstrip() + "\n" for name in sorted(notes))
        self.place.note(f"{MANIFEST}/{part}", "".join(lines))
        self.changed = True
