"""How the page looks, and what its script does: nothing of it is loaded from elsewhere."""

from __future__ import annotations

from typing import Any

# Fonts of the machine: Gradio's own themes name fonts that would have to be fetched.
FONTS = ("system-ui", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
MONO = ("ui-monospace", "Consolas", "monospace")

# Every pair of text and background below has a contrast of at least 4.5 (WCAG 2.2, AA).
CSS = """
.gradio-container { width: 100%; max-width: 76rem !important; margin: 0 auto; }
.gradio-container > main { width: 100%; }
.gradio-container, .gradio-container * { overflow-wrap: anywhere; }
.nav-holder, footer { display: none !important; }
:root {
  --agrees-fill: #e6f5ea; --agrees-text: #14532d; --agrees-line: #15803d;
  --differs-fill: #fdeaea; --differs-text: #7f1d1d; --differs-line: #b91c1c;
  --unread-fill: #fdf3d8; --unread-text: #5f370e; --unread-line: #a16207;
  --focus: #1d4ed8; --link: #1d4ed8; --quiet: #4b5563; --chosen: #0f766e;
}
.dark {
  --agrees-fill: #10301d; --agrees-text: #bbf7d0; --agrees-line: #4ade80;
  --differs-fill: #3b1414; --differs-text: #fecaca; --differs-line: #f87171;
  --unread-fill: #33270a; --unread-text: #fde68a; --unread-line: #facc15;
  --focus: #93c5fd; --link: #93c5fd; --quiet: #c4c8d0; --chosen: #5eead4;
}
:focus-visible { outline: 3px solid var(--focus) !important; outline-offset: 2px !important; }
.page-head { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem 1rem; }
.page-head h1 { margin: 0; font-size: 1.5rem; }
.page-head p { margin: 0; flex: 1 1 20rem; color: var(--quiet); }
.page-head a { margin: 0; padding: 0; }
.page-head a, .note a { color: var(--link); text-decoration: underline; }
button[role=tab] { color: var(--body-text-color) !important; }
button[role=tab][aria-selected=true] { font-weight: 600; color: var(--chosen) !important; }
@media (max-width: 30rem) {
  .gradio-container { padding: .5rem !important; }
  /* All four fit: Gradio measures them on a copy that has no role. */
  .tab-container button { padding: .5rem .3rem !important; font-size: .85rem !important; }
}
.example { text-align: left; font-weight: 400; }
.verdict { border-left: .4rem solid; border-radius: .4rem; padding: .75rem 1rem; }
.verdict strong { display: block; font-size: 1.25rem; color: inherit; }
.verdict * { color: inherit !important; }
.verdict p { margin: .25rem 0 0; color: inherit; }
.verdict.agrees, mark.agrees, .chip.agrees {
  background: var(--agrees-fill); color: var(--agrees-text); border-color: var(--agrees-line);
}
.verdict.differs, mark.differs, .chip.differs {
  background: var(--differs-fill); color: var(--differs-text); border-color: var(--differs-line);
}
.verdict.unreadable, mark.unreadable, .chip.unreadable, mark {
  background: var(--unread-fill); color: var(--unread-text); border-color: var(--unread-line);
}
mark { border-bottom: 2px solid var(--unread-line); padding: 0 .1em; }
mark.agrees, mark.differs, mark.unreadable { border-bottom: 2px solid; }
.text + .verdict, .verdict + .part { margin-top: .75rem; }
.copy { background: none !important; }
progress { width: 100%; height: .6rem; accent-color: var(--chosen); border-radius: .3rem; }
progress::-webkit-progress-bar { background: var(--border-color-primary); }
progress::-webkit-progress-value { background: var(--chosen); }
.chip { border: 1px solid; border-radius: 1rem; padding: 0 .6em; white-space: nowrap; }
.block.hide-container:not(.live):has(.html-container > .prose:empty) { display: none; }
.text {
  white-space: pre-wrap; max-height: 24rem; overflow-y: auto; line-height: 1.6;
  border: 1px solid var(--border-color-primary); border-radius: .4rem; padding: .75rem 1rem;
  color: var(--body-text-color);
}
.note { color: var(--quiet); font-size: .9rem; margin: .25rem 0; }
h3.part { font-size: 1rem; margin: .75rem 0 .25rem; }
"""

# Before Gradio starts: the page's language is that of its address, not that of the browser, also
# for Gradio's own words; and the parts that change while one looks on are announced.
HEAD = """
<script>
(() => {
  const end = location.pathname.replace(/\\/+$/, "").split("/").pop();
  const language = LANGUAGES.includes(end) ? end : LANGUAGES[0];
  document.documentElement.lang = language;
  Object.defineProperty(navigator, "language", { get: () => language });
  Object.defineProperty(navigator, "languages", { get: () => [language] });
  const announce = () => {
    for (const part of document.querySelectorAll(".block.live:not([aria-live])")) {
      part.setAttribute("aria-live", "polite");
      part.setAttribute("role", "status");
    }
  };
  // A second click on a button within a quarter of a second is a slip of the finger: until the
  // first has reached the server, Gradio would send each of them.
  let last, at = 0;
  addEventListener("click", (event) => {
    const button = event.target.closest?.("button:not([role=tab])");
    if (!button) return;
    if (button === last && event.timeStamp - at < 250) {
      event.stopImmediatePropagation();
      event.preventDefault();
    } else {
      last = button;
      at = event.timeStamp;
    }
  }, true);
  // A file dropped on a text goes to the upload button beside it; elsewhere it must not replace the
  // page, as browsers would have it.
  const files = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragover", (event) => { if (files(event)) event.preventDefault(); });
  addEventListener("drop", (event) => {
    if (!files(event) || event.defaultPrevented) return;
    event.preventDefault();
    const input = event.target.closest?.(".takes-file")?.querySelector("input[type=file]");
    if (!input) return;
    const taken = new DataTransfer();
    const given = [...event.dataTransfer.files];
    given.slice(0, input.multiple ? given.length : 1).forEach((file) => taken.items.add(file));
    input.files = taken.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
  });
  new MutationObserver(announce).observe(document.documentElement, {
    childList: true, subtree: true,
  });
})();
</script>
"""


def head(languages: tuple[str, ...]) -> str:
    """What goes into the page's <head>; the first language is that of the address "/"."""
    import json

    return HEAD.replace("LANGUAGES", json.dumps(languages))


def theme() -> Any:
    """Gradio's plain theme in the machine's fonts, its colours dark enough to read."""
    from gradio.themes import Base

    return Base(
        primary_hue="teal", secondary_hue="teal", neutral_hue="slate", font=FONTS, font_mono=MONO
    ).set(
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_label_text_color="*neutral_700",
        block_label_text_color_dark="*neutral_200",
        block_title_text_color="*neutral_700",
        block_title_text_color_dark="*neutral_200",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        input_placeholder_color="*neutral_600",
        input_placeholder_color_dark="*neutral_300",
        input_border_color="*neutral_500",
        input_border_color_dark="*neutral_500",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_hover_dark="*primary_800",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
    )
