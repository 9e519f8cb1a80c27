"""The conversation as HTML: all texts of users and models are shown as text."""

from __future__ import annotations

import json
from html import escape

from pengadil.app.chat_talk import DONE, REWRITE, UNDER_WAY, Reply, Talk, Turn
from pengadil.app.chat_words import WORDS
from pengadil.app.context import Context

# Of the colours only those of the page's own style, whose contrast is known.
CSS = """
.talk { display: grid; gap: .75rem; padding: .25rem; color: var(--body-text-color); }
.asked { border-left: .4rem solid var(--chosen); padding: .25rem .75rem; }
.replies { display: grid; gap: .75rem;
  grid-template-columns: repeat(auto-fit, minmax(min(16rem, 100%), 1fr)); }
.reply { border: 1px solid var(--border-color-primary); border-radius: .4rem;
  padding: .5rem .75rem; }
.by { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem .75rem; }
.by h3, .asked h3 { margin: 0; font-size: .9rem; color: inherit; }
.by span { flex: 1; color: var(--quiet); font-size: .85rem; }
.by button { color: var(--link); text-decoration: underline; font-size: .85rem; padding: .25rem; }
.said { white-space: pre-wrap; line-height: 1.6; margin: .25rem 0 0; color: inherit; }
.why { border-left: .4rem solid; padding: .25rem .75rem; margin: .25rem 0 0;
  background: var(--unread-fill); color: var(--unread-text); border-color: var(--unread-line); }
"""

# One listener for all copy buttons, those to come too. Without a secure address the browser has no
# clipboard to write to; then the text is selected, for Ctrl-C.
COPY_JS = """
element.addEventListener("click", (event) => {
  const button = event.target.closest("button.copy");
  if (!button) return;
  const text = button.closest(".reply").querySelector(".said");
  const select = () => {
    const range = document.createRange();
    range.selectNodeContents(text);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  };
  if (!navigator.clipboard) return select();
  navigator.clipboard.writeText(text.textContent).then(
    () => { button.textContent = COPIED; }, select
  );
});
"""


def copy_js(context: Context) -> str:
    """The script of the copy buttons, in the page's language."""
    return COPY_JS.replace("COPIED", json.dumps(context.say(WORDS, "copied")))


def talk_html(context: Context, talk: Talk) -> str:
    """All turns, each message with its replies side by side."""
    turns = "".join(_turn_html(context, turn) for turn in talk.turns)
    if not turns:
        turns = f'<p class="note">{escape(context.say(WORDS, "empty"))}</p>'
    trouble = f'<p class="why">{escape(talk.trouble)}</p>' if talk.trouble else ""
    return f'<div class="talk">{turns}{trouble}</div>'


def state_words(context: Context, talk: Talk) -> str:
    """What is under way, as one line of plain text; for those who do not see the page."""
    if talk.trouble or not talk.turns:
        return talk.trouble
    replies = talk.turns[-1].replies
    shown = [reply for reply in replies if reply.state in UNDER_WAY[1:]] or replies
    return "; ".join(
        f"{context.label(reply.model)}: {context.say(WORDS, reply.state)}" for reply in shown
    )


def _turn_html(context: Context, turn: Turn) -> str:
    who = context.say(WORDS, "to_rewrite" if turn.kind == REWRITE else "you")
    replies = "".join(_reply_html(context, reply) for reply in turn.replies)
    return (
        f'<div class="asked"><h3>{escape(who)}</h3><p class="said">{escape(turn.text)}</p></div>'
        f'<div class="replies">{replies}</div>'
    )


def _reply_html(context: Context, reply: Reply) -> str:
    name = escape(context.label(reply.model))
    copy = context.say(WORDS, "copy")
    button = (
        f'<button type="button" class="copy" aria-label="{escape(copy)}: {name}">{copy}</button>'
        if reply.text
        else ""
    )
    nothing = "" if reply.state != DONE else context.say(WORDS, "wrote_nothing")
    why = f'<p class="why">{escape(reply.note)}</p>' if reply.note else ""
    return (
        f'<div class="reply {reply.state}"><div class="by"><h3>{name}</h3>'
        f"<span>{escape(context.say(WORDS, reply.state))}</span>{button}</div>"
        f'<p class="said">{escape(reply.text or nothing)}</p>{why}</div>'
    )
