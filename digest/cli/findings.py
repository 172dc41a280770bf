"""What a check says, and how one that raises says it."""

from collections.abc import Callable
from dataclasses import dataclass

from digest.errors import DigestError, template_fault


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
    try:
        return Finding(name, "green", check())
    except DigestError as e:
        return Finding(name, "red", str(e), advice)
    except Exception as e:
        fault = template_fault(e)
        if fault is None:
            raise
        return Finding(name, "red", fault, advice)
