"""[alarms] and [desk]: whom the service tells what an operator must act on, and the editors' week."""

from typing import Annotated

from pydantic import AfterValidator, Field

from digest.config.base import Address, Minutes, OneLine, Place, RepeatRule, Section, Zone, secret


def _plain(value: str) -> str:
    """Every mail server takes such an address: its domain as DNS knows it (RFC 5891)."""
    from email_validator import validate_email

    found = validate_email(value, check_deliverability=False, test_environment=True).ascii_email
    if found is None:
        raise ValueError("allowed is an e-mail address whose part before the @ is ASCII")
    return found


PlainAddress = Annotated[Address, AfterValidator(_plain)]

Hours = Annotated[float, Field(gt=0, le=8784)]


class AlarmSettings(Section):
    """[alarms]"""

    mail_to: tuple[PlainAddress, ...] = ()
    webhook_env: OneLine | None = None
    webhook_file: Place | None = None
    every_minutes: Minutes = 2.0
    after_minutes: Annotated[float, Field(ge=0, le=1440)] = 10.0
    quiet_minutes: Annotated[float, Field(ge=0, le=1440)] = 30.0
    source_hours: Hours = 6.0
    late_hours: Hours = 2.0

    def webhook(self) -> str | None:
        """The address that `webhook_env`, else `webhook_file`, names: a secret, as it may hold a
        token; None where it is unset."""
        return secret(env=self.webhook_env, file=self.webhook_file)

    @property
    def has_webhook(self) -> bool:
        return self.webhook_env is not None or self.webhook_file is not None


class DeskSettings(Section):
    """[desk]"""

    mail_to: tuple[PlainAddress, ...] = ()
    schedule: RepeatRule = "0 9 * * mon"
    time_zone: Zone | None = None
