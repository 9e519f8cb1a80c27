"""Starting the page: who may reach it, on which port, and nothing sent anywhere by itself."""

from __future__ import annotations

import os
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from tempfile import TemporaryDirectory
from typing import Any

from pengadil.app.context import Context
from pengadil.app.documents import MOST_BYTES
from pengadil.errors import PengadilError

LOCAL, PORT = "127.0.0.1", 7860
PASSWORD, USER = "PENGADIL_APP_PASSWORD", "pengadil"
LEAST_LETTERS = 12
# Larger uploads are cut off; what is between is refused in words.
MOST_UPLOADED = 2 * MOST_BYTES
# What would open the page to others, show them files, or send something, unasked.
UNASKED = (
    *("GRADIO_ALLOWED_PATHS", "GRADIO_ROOT_PATH", "GRADIO_SERVER_NAME", "GRADIO_SHARE"),
    *("GRADIO_MCP_SERVER", "GRADIO_NUM_WORKERS", "GRADIO_DEBUG"),
)


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


def check_installed() -> None:
    """PengadilError where the page's libraries are missing; none is loaded."""
    from importlib.util import find_spec

    missing = [name for name in ("gradio", "pypdf") if find_spec(name) is None]
    if missing:
        raise PengadilError(
            " and ".join(missing),
            "not installed",
            "Run: python -m pip install -r requirements-app.txt",
        )


def access(host: str, port: int | None, share: bool) -> Access:
    """The access asked for, with the environment's password.

    Raises PengadilError where others could reach the page and no password of at least
    LEAST_LETTERS letters is set, and for a port that is none.
    """
    asked = Access(host, port, share, os.environ.get(PASSWORD, ""))
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
                door.bind((access.host.strip("[]"), port))
            except OSError as error:
                if port == PORT and not access.port:
                    continue
                raise _no_door(access.host, port, error) from None
            return int(door.getsockname()[1])
    raise AssertionError("port 0 is bound, or refused")


def serve(context: Context, access: Access, open_browser: bool = False) -> None:
    """Show the page until Ctrl-C. Prints its address once it answers."""
    if told := warning(access):
        print(told, file=sys.stderr)
    with Page(context, access) as page:
        print(f"{', '.join(context.shelf.names)}: {page.shared or page.address} (Ctrl-C ends it)")
        sys.stdout.flush()
        if open_browser:
            import webbrowser

            webbrowser.open(page.address)
        with suppress(KeyboardInterrupt):
            while True:
                time.sleep(3600)


class Page:
    """The page while it is served, for a `with`: `address` here, `shared` elsewhere or ""."""

    def __init__(self, context: Context, access: Access) -> None:
        self._context, self._access = context, access
        self.address = self.shared = self.uploads = ""
        self.blocks: Any = None

    def __enter__(self) -> Page:
        # Uploads lie in a folder of this page alone, which goes when it ends.
        self._folder = TemporaryDirectory(prefix="pengadil-", ignore_cleanup_errors=True)
        self.uploads = self._folder.name
        quiet_gradio(self.uploads)
        from pengadil.app.shell import build

        self.blocks = build(self._context)
        access = self._access
        port = find_port(access)
        try:
            _, self.address, shared = self.blocks.launch(**settings(self._context, access, port))
        except OSError as error:
            self._folder.cleanup()
            raise _no_door(access.host, port, error) from None
        self.shared = shared or ""
        return self

    def __exit__(self, *_: object) -> None:
        self.blocks.close(verbose=False)
        self._folder.cleanup()


def settings(context: Context, access: Access, port: int) -> dict[str, Any]:
    """What Gradio's `launch` is told."""
    from pengadil.app.shell import languages
    from pengadil.app.style import CSS, head, theme
    from pengadil.app.words import gradio_words

    return {
        "server_name": access.host,
        "server_port": port,
        "share": access.share,
        "auth": (USER, access.password) if access.password else None,
        "prevent_thread_lock": True,
        "quiet": True,
        "footer_links": [],
        "run_history": False,
        "enable_monitoring": False,
        "ssr_mode": False,
        "pwa": False,
        "mcp_server": False,
        "allowed_paths": [],
        "max_file_size": MOST_UPLOADED,
        "strict_cors": True,
        "app_kwargs": {"openapi_url": None, **_hosts(access)},
        "theme": theme(),
        "css": CSS,
        "head": head(languages(context)),
        "i18n": gradio_words(),
    }


def _hosts(access: Access) -> dict[str, Any]:
    """Requests under another name than this machine's are refused, where only it may ask.

    A site whose name leads to 127.0.0.1 (DNS rebinding) would otherwise be taken for this page.
    """
    if access.open_to_others:
        return {}
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    names = ["localhost", "127.0.0.1", "[::1]", access.host]
    return {"middleware": [Middleware(TrustedHostMiddleware, allowed_hosts=names)]}


def quiet_gradio(uploads: str) -> None:
    """Before Gradio is loaded: it reports nothing, asks for no newer version, and keeps uploads."""
    for name in UNASKED:
        os.environ.pop(name, None)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["FASTAPI_OTEL_AUTO_CONFIGURE"] = "false"
    os.environ["GRADIO_TEMP_DIR"] = uploads


def _no_door(host: str, port: int, error: OSError) -> PengadilError:
    said = error.strerror or str(error)
    return PengadilError(
        f"{host}, port {port}", f"the page cannot be served there ({said})", "Choose another."
    )
