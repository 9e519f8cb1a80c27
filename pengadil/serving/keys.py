"""Who may ask: the keys of the environment, and without any only this machine's own programs."""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping, Sequence
from hashlib import sha256
from urllib.parse import urlsplit

from pengadil.errors import PengadilError
from pengadil.serving.refusals import RefusedError

KEY = "PENGADIL_API_KEY"
SHORTEST = 16
LOCAL = ("127.0.0.1", "localhost", "::1")
MAKE_ONE = 'Make one: python -c "import secrets; print(secrets.token_urlsafe(32))"'


class Keys:
    """The keys that open the service; none at all where it listens on this machine alone."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self._digests = [sha256(key.encode()).digest() for key in keys]

    @staticmethod
    def of_environment(host: str) -> Keys:
        """Those of PENGADIL_API_KEY, separated by commas.

        Raises PengadilError, which holds no key, for one that is too short or cannot stand in a
        header, and where there is none and `host` is not this machine's own address.
        """
        keys = [key.strip() for key in os.environ.get(KEY, "").split(",") if key.strip()]
        for key in keys:
            if len(key) < SHORTEST or not key.isascii() or not key.isprintable() or " " in key:
                raise PengadilError(
                    KEY,
                    f"a key is shorter than {SHORTEST} signs or holds some that no key has",
                    MAKE_ONE,
                )
        if not keys and host not in LOCAL:
            raise PengadilError(
                f"--host {host}",
                f"other machines could ask, and {KEY} is not set",
                f"{MAKE_ONE} and set {KEY} to it in the environment, or leave --host out.",
            )
        return Keys(keys)

    def __bool__(self) -> bool:
        return bool(self._digests)

    def caller(self, headers: Mapping[str, str], address: str) -> str:
        """A name for who asks, whose requests are counted together: a key's place or an address.

        Raises RefusedError without a key that is one of these. Where none is set, the request has
        to be for this machine by name: a web page that has its own name lead here (DNS rebinding)
        is refused.
        """
        if not self._digests:
            if _host(headers.get("host", "")) not in LOCAL:
                raise RefusedError(
                    421,
                    "the Host header",
                    "it names another machine, and no key is set",
                    f"Ask for 127.0.0.1, or start the service with {KEY} set.",
                )
            return address
        scheme, _, given = headers.get("authorization", "").partition(" ")
        digest = sha256(given.strip().encode("utf-8", "surrogateescape")).digest()
        # All are compared, each in constant time: how long it takes tells nothing.
        equal = [hmac.compare_digest(digest, key) for key in self._digests]
        if scheme.lower() != "bearer" or not any(equal):
            raise RefusedError(
                401,
                "the Authorization header",
                "there is no valid key in it" if given else "there is none",
                "Send 'Authorization: Bearer KEY' with the key that the service was given.",
            )
        return f"key {equal.index(True)}"


def _host(header: str) -> str:
    """The name in a Host header, without its port; "" if it is none."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""
