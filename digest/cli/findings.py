"""What a check says, and how one that raises says it."""

from collections.abc import Callable
from dataclasses import dataclass

from digest.errors import DigestError


@dataclass(frozen=True, slots=True)
class Finding:
    """`grade` is green, yellow (look at it) or red (must be mended)."""

    name: str
    grade: str
    said: str
    advice: str = ""

    def as_data(self) -> dict[str, str]:
        return {"name": self.name, "grade": self.grade, "said": self.said, "advice": self.advice}


def checked(name: str, check: Callable[[], str], advice: str) -> Finding:
    """Green with what `check` says, or red with what it raises."""
    from jinja2 import TemplateError, TemplateSyntaxError

    try:
        return Finding(name, "green", check())
    except TemplateSyntaxError as e:
        return Finding(name, "red", f"{e.name}, line {e.lineno}: {e.message}", advice)
    except (DigestError, TemplateError) as e:
        return Finding(name, "red", str(e), advice)
