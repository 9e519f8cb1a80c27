"""A folder of reviews: a file for each reviewer, grown a line at a time by any number of programs.

    RESULTS/reviews/by-aina.jsonl    all that Aina did, in order; nothing is ever changed in it
    RESULTS/reviews/lock             held by whoever is reading and writing, and empty

Every line is on the disk before `append` returns. A last line that a kill cut off was never
reported as saved, and is dropped by the next writer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pengadil.errors import PengadilError
from pengadil.records import Appender, read_line
from pengadil.reviewing.entries import Entry, entry_from, file_name

LOCK, FILES = "lock", "by-*.jsonl"
PATIENCE = 20.0  # seconds; a writer holds the lock for some milliseconds


class Journal:
    """The entries of a reviews folder; each program, and each thread, may have one of its own.

    The lock is the operating system's, so a program that is killed lets go of it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._entries: dict[Path, list[Entry]] = {}
        self._read: dict[Path, int] = {}  # bytes of each file that are read

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else writes in the time of the `with`. PengadilError when the turn never comes."""
        from filelock import FileLock, Timeout

        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / LOCK, timeout=PATIENCE, thread_local=False)
            lock.acquire()
        except Timeout:
            raise PengadilError(
                str(self.folder), "another program has held it too long", "Stop that one first."
            ) from None
        except OSError as error:
            raise _refused(self.folder, error) from None
        try:
            yield
        finally:
            lock.release()

    def append(self, entry: Entry) -> None:
        """Write an entry into its person's file. Only inside `held`.

        Raises PengadilError where it cannot be saved: then it was not.
        """
        path = self.folder / file_name(entry.person)
        try:
            with Appender(path) as file:
                file.add([entry])
        except OSError as error:
            raise _refused(path, error) from None

    def entries(self) -> dict[str, list[Entry]]:
        """All entries by their file's name, each file's in its order; what is new is read.

        Raises PengadilError for a line that is no entry.
        """
        for path in sorted(self.folder.glob(FILES)):
            self._read_on(path)
        return {path.name: entries for path, entries in sorted(self._entries.items())}

    def _read_on(self, path: Path) -> None:
        done = self._read.get(path, 0)
        try:
            with path.open("rb") as file:
                file.seek(done)
                new = file.read()
        except OSError as error:
            raise _refused(path, error) from None
        # What follows the last newline is being written, or was cut off.
        whole = new[: new.rfind(b"\n") + 1]
        entries = self._entries.setdefault(path, [])
        for line in whole.splitlines(keepends=True):
            where = f"{path}, line {len(entries) + 1}"
            found = read_line(line, where)
            if found is not None:
                entries.append(entry_from(found, where))
        self._read[path] = done + len(whole)


def _refused(path: Path, error: OSError) -> PengadilError:
    return PengadilError(
        str(path),
        f"reviews cannot be read or saved there ({error.strerror or error})",
        "Make room, or give yourself the right to write there.",
    )
