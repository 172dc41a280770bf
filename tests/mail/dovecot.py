"""A real IMAP server: Debian's dovecot, in a folder of its own, over TLS and in the clear."""

import os
import pwd
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mail.certificates import write_certificate

DOVECOT = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
USER, PASSWORD = "desk", "a-secret"
_CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{certificate}
disable_plaintext_auth = no
default_internal_user = {internal}
default_internal_group = {group}
default_login_user = {login}
first_valid_uid = 0
auth_failure_delay = 0
mail_location = maildir:{folder}/mail
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={user_group} home={folder}/home
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


@dataclass(frozen=True, slots=True)
class Dovecot:
    """A running server; its one mailbox is a maildir."""

    maildir: Path
    certificate: Path
    port: int
    tls_port: int
    owner: tuple[int, int]

    def give(self, folder: Path) -> None:
        """Let the server write into a folder of the mailbox."""
        for place in (folder, *folder.iterdir()):
            os.chown(place, *self.owner)


@contextmanager
def running_dovecot() -> Iterator[Dovecot]:
    """The server while the block lasts. It refuses to read mail as root, and nobody else may enter tmp_path."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield from _running(folder)


def _running(folder: Path) -> Iterator[Dovecot]:
    root = os.geteuid() == 0
    me = pwd.getpwnam("nobody") if root else pwd.getpwuid(os.geteuid())
    for name in ("run", "state", "home"):
        (folder / name).mkdir(parents=True)
    for name in ("cur", "new", "tmp"):
        (folder / "mail" / name).mkdir(parents=True)
    for place in (folder / "mail", *(folder / "mail").iterdir(), folder / "home"):
        os.chown(place, me.pw_uid, me.pw_gid)
    certificate = write_certificate(folder, "127.0.0.1")
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as two,
    ):
        port, tls_port = one.getsockname()[1], two.getsockname()[1]
    config = folder / "dovecot.conf"
    config.write_text(
        _CONFIG.format(
            folder=folder,
            certificate=certificate,
            internal="dovecot" if root else me.pw_name,
            group="dovecot" if root else me.pw_name,
            login="dovenull" if root else me.pw_name,
            user=me.pw_uid,
            user_group=me.pw_gid,
            password=PASSWORD,
            port=port,
            tls_port=tls_port,
        )
    )
    assert DOVECOT is not None
    server = subprocess.Popen([DOVECOT, "-F", "-c", str(config)], stderr=subprocess.PIPE)
    try:
        _wait_until_it_answers(server, port)
        yield Dovecot(folder / "mail", certificate, port, tls_port, (me.pw_uid, me.pw_gid))
    finally:
        server.terminate()
        server.communicate(timeout=10)


def _wait_until_it_answers(server: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(400):
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as client:
                assert client.recv(4) == b"* OK"
                return
        except ConnectionRefusedError:
            try:
                server.wait(0.02)
            except subprocess.TimeoutExpired:
                continue
            raise AssertionError(server.stderr and server.stderr.read()) from None
    raise AssertionError("dovecot does not answer")
