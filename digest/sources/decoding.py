"""From a document's bytes to its text: UTF-8, UTF-16 with its mark, else Windows-1251."""

import codecs
import re

from digest.errors import DocumentError
from digest.prose import clean

UTF_8 = "utf-8"
UTF_8_MARKED = "utf-8-sig"
UTF_16 = "utf-16"
WINDOWS_1251 = "windows-1251"

_KNOWN_FORMATS = (
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a ZIP or an Office document"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"{\\rtf", "an RTF document"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"\x1f\x8b", "a compressed file"),
    (b"SQLite format 3", "a database"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_CYRILLIC = re.compile(r"[а-яёіїєґў]", re.IGNORECASE)
_COMMON = re.compile(r"[оеаинтслрв]", re.IGNORECASE)
_TYPOGRAPHY = frozenset("«»“”„‘’–—…•·№°§©®™ \u00ad±€")
_GLUED = re.compile(r"[a-z][а-яё]|[а-яё][a-z]", re.IGNORECASE)
_CASE_TURNED = re.compile(r"[а-яё][А-ЯЁ]")


def decode(name: str, data: bytes) -> tuple[str, str]:
    """The text, cleaned and with "\\n" as its only line end, and the name of the encoding.

    Windows-1251 is taken only where the result reads as text: Cyrillic letters in the frequency and
    the case that Russian has, or Latin text whose only other signs are quotes and dashes.

    Raises:
        DocumentError: no text, or nothing but blank space.
    """
    text, encoding = _decode(name, data)
    text = clean(text.replace("\r\n", "\n").replace("\r", "\n"))
    if not text.strip():
        raise DocumentError(name, "is empty: it holds only blank space; fill it or remove it")
    return text, encoding


def _decode(name: str, data: bytes) -> tuple[str, str]:
    for start, what in _KNOWN_FORMATS:
        if data.startswith(start):
            raise _no_text(name, f"it is {what}")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = UTF_16
    elif data.startswith(codecs.BOM_UTF8):
        encoding = UTF_8_MARKED
    else:
        encoding = UTF_8
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        if encoding != UTF_8:
            raise _no_text(name, f"its mark says {encoding}, its bytes are not") from None
        return _as_windows_1251(name, data), WINDOWS_1251
    _refuse_control_signs(name, text)
    return text, encoding


def _as_windows_1251(name: str, data: bytes) -> str:
    try:
        text = data.decode(WINDOWS_1251)
    except UnicodeDecodeError:
        raise _no_text(name, "its bytes are neither UTF-8 nor Windows-1251") from None
    _refuse_control_signs(name, text)
    if not _reads_as_text(text):
        raise _no_text(name, "its bytes are not UTF-8, and as Windows-1251 they make no words")
    return text


def _refuse_control_signs(name: str, text: str) -> None:
    controls = len(_CONTROL.findall(text))
    if "\x00" in text or controls > len(text) / 500:
        raise _no_text(name, "it holds control signs, as programs and pictures do")


def _reads_as_text(text: str) -> bool:
    letters = len(_CYRILLIC.findall(text))
    foreign = sum(1 for sign in text if ord(sign) > 0x7F and sign not in _TYPOGRAPHY) - letters
    if foreign > letters / 20:
        return False
    if not letters:
        return True
    return (
        len(_COMMON.findall(text)) >= 0.5 * letters
        and len(_GLUED.findall(text)) <= letters / 40
        and len(_CASE_TURNED.findall(text)) <= letters / 25
    )


def _no_text(name: str, why: str) -> DocumentError:
    return DocumentError(name, f"is no text: {why}; save it as plain text in UTF-8, or remove it")
