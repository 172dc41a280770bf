"""Whether the mail servers would take us, without a message."""

import asyncio
from collections.abc import Sequence

from digest.config.transport import ServerSettings
from digest.mail.smtp.links import Timeouts
from digest.mail.smtp.pacing import Patience
from digest.mail.smtp.servers import Access, OpenError, Server, accesses
from digest.mail.smtp.transport import PARTING_SECONDS

GREETING = "[127.0.0.1]"


def reach(
    servers: Sequence[ServerSettings], *, helo_name: str | None, seconds: float = 10.0
) -> list[tuple[str, str | None]]:
    """Connect to each server at once, greet, start TLS, log in, and part with QUIT.

    Its name, and what went wrong; None where all went well. `seconds` is the limit for each.

    Raises:
        NotReadyError: a password or a ca_file that a server names is not there.
    """
    found = accesses(servers)
    greeting = helo_name or GREETING

    async def everyone() -> list[tuple[str, str | None]]:
        told = await asyncio.gather(*(_visit(one, greeting, seconds) for one in found))
        await asyncio.sleep(PARTING_SECONDS)
        return list(told)

    return asyncio.run(everyone())


async def _visit(access: Access, greeting: str, seconds: float) -> tuple[str, str | None]:
    name = access.settings.name
    try:
        async with asyncio.timeout(seconds):
            timeouts = Timeouts(connect=seconds, command=seconds, data=seconds)
            link = await Server(access, Patience()).open(greeting, timeouts)
            await link.close()
    except OpenError as e:
        code = f"{e.fault.code} " if e.fault.code else ""
        return name, f"{e.fault.phase}: {code}{e.fault.text}"
    except TimeoutError:
        return name, f"no answer within {seconds:g} s"
    return name, None
