"""A page of tables, pictures and quotations, written as Markdown and as one HTML file.

Every text is plain: escaping is done here and nowhere else, so that no document, statement or
model output becomes markup or a script. (A Markdown viewer may still link a bare address.)
"""

from __future__ import annotations

import base64
import html
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

LONGEST_QUOTATION = 1500
MARKDOWN_SPECIAL = re.compile(r"([\\`*_{}\[\]#|~$!])")


@dataclass(frozen=True, slots=True)
class Quotation:
    """A heading and named texts, such as ("document", "Ali lahir di Ipoh.")."""

    heading: str
    texts: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page; all but the title may be empty. `picture` is a PNG, for HTML only."""

    title: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    note: str = ""
    picture: bytes | None = None
    picture_text: str = ""
    quotations: Sequence[Quotation] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """A title, one line that says it all, and the sections below."""

    title: str
    headline: str
    sections: Sequence[Section]


def as_markdown(page: Page) -> str:
    """The page as GitHub-flavoured Markdown, without its pictures."""
    parts = [f"# {markdown_text(page.title)}", f"**{markdown_text(page.headline)}**"]
    for section in page.sections:
        parts.append(f"## {markdown_text(section.title)}")
        if section.note:
            parts.append(markdown_text(section.note))
        if section.rows:
            ruler = ["---", *["---:"] * (len(section.columns) - 1)]
            lines = [section.columns, *section.rows]
            cells = [" | ".join(markdown_text(cell) for cell in line) for line in lines]
            cells.insert(1, " | ".join(ruler))
            parts.append("\n".join(f"| {line} |" for line in cells))
        for quotation in section.quotations:
            texts = [f"**{markdown_text(quotation.heading)}**"] + [
                f"{markdown_text(name)}: {markdown_text(shortened(text))}"
                for name, text in quotation.texts
            ]
            parts.append("\n>\n".join(f"> {text}" for text in texts))
    return "\n\n".join(parts) + "\n"


def as_html(page: Page) -> str:
    """The page as one HTML file that fetches nothing, for wide and narrow, dark and light."""
    body = "\n".join(_html_section(section) for section in page.sections)
    title = html_text(page.title)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p class="headline">{html_text(page.headline)}</p>
{body}
</main>
</body>
</html>
"""


def markdown_text(text: str) -> str:
    """The text on one line, with nothing in it that Markdown or HTML would act on."""
    escaped = MARKDOWN_SPECIAL.sub(r"\\\1", plain(text))
    return html.escape(escaped, quote=False)


def html_text(text: str) -> str:
    """The text on one line, fit for an HTML element or a quoted attribute."""
    return html.escape(plain(text))


def plain(text: str) -> str:
    """White space made single spaces, and what UTF-8 or a screen cannot show made a �."""
    return "".join(
        "�" if unicodedata.category(letter) in ("Cc", "Cs") else letter
        for letter in " ".join(text.split())
    )


def shortened(text: str) -> str:
    """At most LONGEST_QUOTATION characters, with a … where the rest was."""
    if len(text) <= LONGEST_QUOTATION:
        return text
    return text[: LONGEST_QUOTATION - 1] + "…"


def _html_section(section: Section) -> str:
    parts = [f"<section>\n<h2>{html_text(section.title)}</h2>"]
    if section.note:
        parts.append(f"<p>{html_text(section.note)}</p>")
    if section.picture:
        data = base64.b64encode(section.picture).decode("ascii")
        alternative = html_text(section.picture_text)
        parts.append(f'<img alt="{alternative}" src="data:image/png;base64,{data}">')
    if section.rows:
        parts.append(_html_table(section))
    for quotation in section.quotations:
        texts = "".join(
            f"<p><b>{html_text(name)}</b> {html_text(shortened(text))}</p>"
            for name, text in quotation.texts
        )
        parts.append(f"<blockquote><h3>{html_text(quotation.heading)}</h3>{texts}</blockquote>")
    return "\n".join([*parts, "</section>"])


def _html_table(section: Section) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html_text(cell)}</{tag}>" for cell in cells) + "</tr>"

    rows = "\n".join(line(cells, "td") for cells in section.rows)
    return (
        f'<div class="table"><table>\n<thead>{line(section.columns, "th")}</thead>\n'
        f"<tbody>\n{rows}\n</tbody>\n</table></div>"
    )


# Even if a text did get through as markup, the browser would load and run nothing.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
STYLE = """
:root { color-scheme: light dark; --ink: #1f2933; --soft: #616e7c; --line: #d9dee4;
  --paper: #ffffff; --card: #f5f7fa; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7eb; --soft: #9aa5b1;
  --line: #3e4c59; --paper: #16191d; --card: #20252b; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 52rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.4rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
h3 { font-size: .95rem; margin: 0 0 .4rem; overflow-wrap: anywhere; }
p { margin: .4rem 0; }
section > p { color: var(--soft); font-size: .92rem; }
.headline { font-size: 1.15rem; font-weight: 600; }
.table { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .4rem .6rem; border-bottom: 1px solid var(--line); text-align: right;
  vertical-align: top; unicode-bidi: isolate; }
th { color: var(--soft); font-weight: 600; font-size: .85rem; }
th:first-child, td:first-child { text-align: left; padding-left: 0; min-width: 8rem; }
td { overflow-wrap: anywhere; min-width: 5.5rem; }
img { display: block; max-width: 100%; height: auto; width: 26rem; border-radius: .5rem;
  margin: .5rem 0; }
blockquote { margin: .8rem 0; padding: .7rem .9rem; background: var(--card);
  border-left: 3px solid var(--line); border-radius: .3rem; }
blockquote p { overflow-wrap: anywhere; unicode-bidi: isolate; font-size: .95rem; }
"""
