"""Every key that config.toml may have, from the types."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from digest.config.checks import model_in
from digest.config.settings import Settings

UNITS = {"seconds": "seconds", "mib": "MiB", "kb": "kB", "hours": "hours", "days": "days"}


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
        inner = model_in(field.annotation)
        by_language = "dict[" in str(field.annotation)
        if inner is None:
            yield Setting(table, name, field)
        else:
            yield from every_setting(inner, f"{table}.{name}".strip(".") + by_language * ".en")


EVERY = [pytest.param(setting, id=f"{setting.table}.{setting.key}") for setting in every_setting()]
