"""Every key that config.toml may have, from the types."""

from collections.abc import Iterator
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from digest.config.settings import Settings


class Setting(NamedTuple):
    """`table` is as in the file's headings; a table for each language is that of "en"."""

    table: str
    key: str
    field: FieldInfo

    @property
    def default(self) -> str | None:
        """As config.toml writes it; None where there is none, or it cannot be written."""
        value = self.field.get_default(call_default_factory=True)
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, int | float):
            return f"{value:g}"
        if isinstance(value, tuple):
            return str(list(value)).replace("'", '"') if value else None
        if self.field.is_required() or value is None or value == {}:
            return None
        return f'"{value}"'


def every_setting(model: type[BaseModel] = Settings, table: str = "") -> Iterator[Setting]:
    """In the order of the types, without `Settings.path`, which is not a key."""
    for name, field in model.model_fields.items():
        if model is Settings and name == "path":
            continue
        inner = _table_in(field.annotation)
        by_language = "dict[" in str(field.annotation)
        if inner is None:
            yield Setting(table, name, field)
        else:
            yield from every_setting(inner, f"{table}.{name}".strip(".") + by_language * ".en")


def _table_in(annotation: Any) -> type[BaseModel] | None:
    """The type of the table in a field, by itself, in a list or by language."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_table_in(one) for one in get_args(annotation))
    return next((table for table in inner if table is not None), None)
