"""A bucket of an S3-compatible object store as a place for published files (extra `s3`)."""

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cached_property
from typing import TypeVar

from digest.errors import PublishError
from digest.feeds.files import CONTENT_TYPES, MANIFEST
from digest.language.text import foreign

_ADVICE = (
    (
        "169.254.169.254|Unauth",
        "There are no valid credentials: set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION",
    ),
    ("NoSuchBucket", "Check the name of the bucket, or make it"),
    (
        "403 Forbidden|Denied",
        "Let these credentials list the bucket, and get, put and delete its objects",
    ),
    ("", "Check that AWS_ENDPOINT_URL and the network lead to the server, and that it is well"),
)
T = TypeVar("T")
_ADDRESS = re.compile(r"s3://[a-z0-9][a-z0-9.-]+(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*/?")
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_PATIENCE = {"max_retries": 5, "retry_timeout": timedelta(seconds=30)}
_FAULTS = [
    re.compile(form)
    for form in (r"<Code>(\w+)</Code>", r"status code: (\d{3}[ A-Za-z]*)", r"HTTP error: ([^\n(]*)")
]


class Bucket:
    """`s3://bucket/prefix`, with credentials, region and endpoint as AWS's own tools take them from the
    environment. Plain http is used only for an endpoint that says http.

    The state of a file is its ETag there and a hash of what we put. Methods are as in files.Folder.

    Raises:
        PublishError: it is no such address, or the extra `s3` is not installed.
    """

    at_once = 16

    def __init__(self, address: str) -> None:
        self.name = address.rstrip("/")
        if not _ADDRESS.fullmatch(address):
            raise PublishError(
                "--to: this is no address of a bucket. Write `digest publish --to s3://bucket/prefix`, "
                "without user and password; without --to the folder of feeds.path is written."
            )
        try:
            import obstore
            from obstore.store import S3Store
        except ImportError as e:
            raise PublishError(
                f"{self.name}: needs obstore. Install the extra: pip install 'newsroom-digest[s3]'."
            ) from e
        endpoint = next((os.environ[one] for one in _ENDPOINTS if os.environ.get(one)), "")
        options = {"allow_http": endpoint.startswith("http://"), "connect_timeout": "5s"}
        self._obstore = obstore
        self._store = self._try(
            lambda: S3Store.from_url(
                self.name,
                **({"endpoint": endpoint} if endpoint else {}),
                client_options={**options, "timeout": "60s"},
                retry_config=_PATIENCE,
            )
        )

    def stamp(self) -> str:
        return "-"

    def parts(self) -> set[str]:
        return {name.rpartition("/")[2] for name in self._list(MANIFEST)} - {"head"}

    def read(self, name: str) -> str:
        try:
            return self._try(lambda: bytes(self._obstore.get(self._store, name).bytes())).decode()
        except FileNotFoundError:
            return ""

    def note(self, name: str, text: str) -> None:
        self._upload(name, text.encode(), "text/plain; charset=utf-8", "no-store")

    def holds(self, name: str, state: str, *, look: bool) -> bool:
        """Looking takes a list of the bucket; else the manifest is believed."""
        return not look or self._there.get(name) == state.partition(" ")[0]

    def put(self, name: str, data: bytes, state: str, seconds: int) -> tuple[bool, str]:
        kind, cache = CONTENT_TYPES[name.rpartition(".")[2]], f"public, max-age={seconds}"
        digest = hashlib.sha256(f"{kind}\n{cache}\n".encode() + data).hexdigest()[:32]
        if state.endswith(f" {digest}") and self.holds(name, state, look="_there" in vars(self)):
            return False, state
        return True, f"{self._upload(name, data, kind, cache)} {digest}"

    def delete(self, names: Sequence[str]) -> None:
        self._try(lambda: self._obstore.delete(self._store, names))

    def _upload(self, name: str, data: bytes, kind: str, cache: str) -> str:
        attributes = {"Content-Type": kind, "Cache-Control": cache}
        done = self._try(
            lambda: self._obstore.put(
                self._store, name, data, attributes=attributes, use_multipart=False
            )
        )
        return _tag(done["e_tag"])

    @cached_property
    def _there(self) -> dict[str, str]:
        return self._list(None)

    def _list(self, prefix: str | None) -> dict[str, str]:
        """The names of our files there, with their ETags."""
        chunks = self._try(lambda: list(self._obstore.list(self._store, prefix)))
        return {one["path"]: _tag(one["e_tag"]) for chunk in chunks for one in chunk}

    def _try(self, call: Callable[[], T]) -> T:
        """FileNotFoundError passes where the bucket is there, but not the file."""
        try:
            return call()
        except Exception as e:
            text = str(e)  # may hold the key's id, and what was signed: none of it is shown
            if isinstance(e, FileNotFoundError) and "NoSuchBucket" not in text:
                raise
            if not isinstance(
                e, FileNotFoundError | ValueError | self._obstore.exceptions.BaseError
            ):
                raise
            found = next(filter(None, (form.search(text) for form in _FAULTS)), None)
            fault = foreign(found[1]) if found else type(e).__name__
            advice = next(advice for sign, advice in _ADVICE if re.search(sign, text + fault))
            raise PublishError(
                f"{self.name}: {fault}. {advice}; then run `digest publish --to {self.name}` "
                "again. The files already uploaded are complete."
            ) from None


def _tag(tag: str | None) -> str:
    return (tag or "-").strip('"')
