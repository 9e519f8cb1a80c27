"""The project laid out as a checkout, also where it was installed from a wheel."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pengadil.folders import ONE_OF, SHIPPED


@contextmanager
def laid_out(root: Path) -> Iterator[Path]:
    """`root` itself where it is a checkout; else, from a wheel, a temporary folder like one.

    A wheel has the package around the other folders (pengadil/shipped/). The TOML files of the
    current directory's prompts/, recipes/, eval/ and rubrics/ go along and win, as they do here.
    """
    if root.resolve() != SHIPPED:
        yield root
        return
    with tempfile.TemporaryDirectory(prefix="pengadil-tree-") as folder:
        tree = Path(folder)
        shutil.copytree(root, tree, dirs_exist_ok=True, ignore=_unwanted)
        shutil.copytree(SHIPPED.parent, tree / SHIPPED.parent.name, ignore=_unwanted)
        for kind in ONE_OF:
            for file in Path(kind).rglob("*.toml"):
                (tree / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, tree / file)
        yield tree


def name_in_tree(path: Path, root: Path) -> str | None:
    """The file's name in what `laid_out` gives, with slashes; None for a file outside of it."""
    roots = [root, Path.cwd()] if root.resolve() == SHIPPED else [root]
    for one in roots:
        if path.resolve().is_relative_to(one.resolve()):
            return path.resolve().relative_to(one.resolve()).as_posix()
    return None


def _unwanted(folder: str, names: list[str]) -> list[str]:
    inner = SHIPPED.name if Path(folder).resolve() == SHIPPED.parent else ""
    return [name for name in names if name in ("__pycache__", inner)]
