"""Who may reach the page, and on which port."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from ipaddress import ip_address

from pengadil.errors import PengadilError

LOCAL, PORT = "127.0.0.1", 7860
PASSWORD, USER = "PENGADIL_APP_PASSWORD", "pengadil"
LEAST_LETTERS = 12


@dataclass(frozen=True, slots=True)
class Access:
    """Where the page is reached: `port` None is the usual one, or a free one if that is taken.

    `password` is asked for wherever it is set; "" asks for none.
    """

    host: str = LOCAL
    port: int | None = None
    share: bool = False
    password: str = ""

    @property
    def open_to_others(self) -> bool:
        """Whether others than this machine's users can reach it."""
        return self.share or not is_local(self.host)


def access(host: str, port: int | None, share: bool) -> Access:
    """The access asked for, with the environment's password.

    Raises PengadilError where others could reach the page and no password of at least
    LEAST_LETTERS letters is set, and for a port that is none.
    """
    asked = Access(host.strip("[]"), port, share, os.environ.get(PASSWORD, ""))
    what = "--share" if share else f"--host {host}"
    if port is not None and not 0 <= port <= 65535:
        raise PengadilError(f"--port {port}", "no such port", "Give one from 1024 to 65535.")
    if asked.open_to_others and len(asked.password) < LEAST_LETTERS:
        wrong = "it is shorter than that" if asked.password else "it is not set"
        raise PengadilError(
            what,
            f"others can reach the page then, and it needs a password of at least {LEAST_LETTERS} "
            f"letters in the environment variable {PASSWORD}: {wrong}",
            f"Set it (export {PASSWORD}=...), or leave {what.split()[0]} out.",
        )
    return asked


def is_local(host: str) -> bool:
    """Whether only this machine reaches that host."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def warning(access: Access) -> str:
    """What the user should know of who can reach the page; "" where nobody else can."""
    if not access.open_to_others:
        return ""
    way = (
        "through a tunnel of Gradio's makers, who carry what is written (its program is fetched "
        "from them)"
        if access.share
        else f"over the network, unencrypted, at {access.host}"
    )
    return (
        f"warning: others can reach this page {way}. Whoever has the password can use your "
        f"models, and read and write the reviews. User name: {USER}; password: that of {PASSWORD}."
    )


def find_port(access: Access) -> int:
    """The port asked for, or else the usual one, or else one that is free.

    Raises PengadilError when the port asked for is taken, and for a host that is not this machine.
    """
    for port in (access.port,) if access.port else (PORT, 0):
        family = socket.AF_INET6 if ":" in access.host else socket.AF_INET
        with socket.socket(family) as door:
            if os.name == "posix":  # a server that has just ended does not keep its port
                door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                door.bind((access.host, port))
            except OSError as error:
                if port == PORT and not access.port:
                    continue
                raise no_door(access.host, port, error) from None
            return int(door.getsockname()[1])
    raise AssertionError("port 0 is bound, or refused")


def no_door(host: str, port: int, error: OSError) -> PengadilError:
    """What to say where the page cannot listen."""
    said = error.strerror or str(error)
    return PengadilError(
        f"{host}, port {port}", f"the page cannot be served there ({said})", "Choose another."
    )
