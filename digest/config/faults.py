"""What is wrong with config.toml, in lines that a person can act on."""

import difflib
import typing
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from digest.config.settings import Settings

_ALLOWED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "datetime_type": "a time with its offset, such as 2026-11-16T00:00:00Z",
    "dict_type": "a table",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_type": "a table",
    "path_type": "a path",
    "string_type": "a text",
    "tuple_type": "a list",
}
"""What a value must be, by pydantic's name for the fault."""

_INPUT = "Input should be "


def fault_line(error: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """One line for one of pydantic's errors: the key, what was found, what is allowed.

    Lists count from 1. An unknown key comes with the nearest known one, and without its value,
    which may be a secret.
    """
    loc = tuple(part for part in error["loc"] if part != "[key]")
    key = _dotted(loc)
    if error["type"] == "missing":
        return f"{key}: missing; it must be given"
    if error["type"] == "extra_forbidden":
        known = known_keys(loc[:-1])
        near = difflib.get_close_matches(str(loc[-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}?" if near else f"allowed are {', '.join(known)}"
        return f"{key}: unknown key; {hint}"
    is_key = "[key]" in error["loc"]
    value = loc[-1] if is_key else _value_at(found, loc)
    if isinstance(value, dict):
        return f"{key}: {_allowed(error)}"
    return f"{key}: found {_shown(value)}; {_allowed(error)}"


def known_keys(loc: tuple[Any, ...]) -> list[str]:
    """The keys that the table at `loc` may have; none where it takes any."""
    model: Any = Settings
    for part in loc:
        if isinstance(part, str) and _is_table(model):
            field = model.model_fields.get(part)
            model = _model_in(field.annotation) if field else None
    if not _is_table(model):
        return []
    return sorted(name for name in model.model_fields if not (model is Settings and name == "path"))


def _allowed(error: Mapping[str, Any]) -> str:
    if error["type"] in _ALLOWED:
        return f"allowed is {_ALLOWED[error['type']]}"
    message: str = error["msg"].removeprefix("Value error, ")
    if message.startswith(_INPUT):
        return f"allowed is {message.removeprefix(_INPUT)}"
    return message if message.startswith("allowed") else f"allowed: {message}"


def _dotted(loc: tuple[Any, ...]) -> str:
    """('digests', 0, 'title') -> digests[1].title; lists count from 1, as people do."""
    text = ""
    for part in loc:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "the file"


def _value_at(found: Any, loc: tuple[Any, ...]) -> Any:
    for part in loc:
        try:
            found = found[part]
        except (KeyError, IndexError, TypeError):
            return part
    return found


def _shown(value: Any) -> str:
    text = value.isoformat() if hasattr(value, "isoformat") else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_table(model: Any) -> bool:
    return isinstance(model, type) and issubclass(model, BaseModel)


def _model_in(annotation: Any) -> Any:
    """The table type inside list[...], dict[..., ...], Annotated[...] or a union; else None."""
    if _is_table(annotation):
        return annotation
    inner = (_model_in(one) for one in typing.get_args(annotation))
    return next((model for model in inner if model is not None), None)
