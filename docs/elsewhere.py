"""A hook of mkdocs: two pages that lie outside docs/, and the links to and from them.

On a code host, links lead to the files as they lie in the repository; in the built pages, to the
pages made of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
# A page's name, and the file that it is made of.
PAGES = {"benchmarks.md": "benchmarks/README.md", "recipes.md": "recipes/README.md"}


def on_files(files: Any, config: Any) -> Any:
    for name, source in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=text.replace("](../docs/", "](")))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    for name, source in PAGES.items():
        markdown = markdown.replace(f"](../{source}", f"]({name}")
    return markdown
