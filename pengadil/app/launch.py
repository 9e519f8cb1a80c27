"""The page while it is served, and nothing sent anywhere by itself."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from tempfile import TemporaryDirectory
from typing import Any

from pengadil.app.access import USER, Access, find_port, no_door, warning
from pengadil.app.context import Context
from pengadil.app.documents import MOST_BYTES
from pengadil.errors import PengadilError

# Larger uploads are cut off; what is between is refused in words.
MOST_UPLOADED = 2 * MOST_BYTES
# What would open the page to others, show them files, or send something, unasked.
UNASKED = (
    *("GRADIO_ALLOWED_PATHS", "GRADIO_ROOT_PATH", "GRADIO_SERVER_NAME", "GRADIO_SHARE"),
    *("GRADIO_MCP_SERVER", "GRADIO_NUM_WORKERS", "GRADIO_DEBUG"),
)


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
    """The page while it is served, for a `with`: `address` here, `shared` elsewhere or "".

    Raises PengadilError where it cannot be served there, or no tunnel opens that was asked for.
    """

    def __init__(self, context: Context, access: Access) -> None:
        self._context, self._access = context, access
        self.address = self.shared = self.uploads = ""
        self.blocks: Any = None

    def __enter__(self) -> Page:
        access = self._access
        port = find_port(access)
        # Uploads lie in a folder of this page alone, which goes when it ends.
        self._folder = TemporaryDirectory(prefix="pengadil-", ignore_cleanup_errors=True)
        self.uploads = self._folder.name
        quiet_gradio(self.uploads)
        from pengadil.app.shell import build

        self.blocks = build(self._context)
        try:
            _, self.address, shared = self.blocks.launch(**settings(self._context, access, port))
        except OSError as error:
            self._folder.cleanup()
            raise no_door(access.host, port, error) from None
        self.shared = shared or ""
        if access.share and not self.shared:
            self.__exit__()
            raise PengadilError(
                "--share",
                "no tunnel could be opened, and nobody else would reach the page",
                "Check the connection, or leave --share out.",
            )
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
        # Gradio makes an address of it, where one of IPv6 stands in brackets.
        "server_name": f"[{access.host}]" if access.host.count(":") > 1 else access.host,
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

    names = ["localhost", "127.0.0.1", "::1", "[::1]", access.host]
    return {"middleware": [Middleware(TrustedHostMiddleware, allowed_hosts=names)]}


def quiet_gradio(uploads: str) -> None:
    """Before Gradio is loaded: it reports nothing, asks for no newer version, and keeps uploads."""
    for name in UNASKED:
        os.environ.pop(name, None)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["FASTAPI_OTEL_AUTO_CONFIGURE"] = "false"
    os.environ["GRADIO_TEMP_DIR"] = uploads
