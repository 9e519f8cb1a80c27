"""The verbs of the command `pengadil`, and how texts name commands for who calls it so."""

from __future__ import annotations

import re
import sys

# By what they are for, in the order of the work: each verb and its script.
GROUPS: dict[str, dict[str, str]] = {
    "train": {
        "prepare": "scripts/prepare_data.py",
        "plan": "scripts/plan.py",
        "train": "scripts/train.py",
        "curves": "scripts/curves.py",
        "sweep": "scripts/sweep.py",
        "demo": "scripts/demo.py",
    },
    "measure": {
        "evaluate": "eval/evaluate.py",
        "compare": "eval/compare.py",
        "agreement": "eval/agreement.py",
        "probe": "eval/probe.py",
        "rate": "eval/rate.py",
        "guard": "eval/guard.py",
        "reviews": "eval/reviews.py",
    },
    "use": {
        "export": "scripts/export_gguf.py",
        "judge": "scripts/judge.py",
        "app": "scripts/app.py",
        "serve": "scripts/serve.py",
    },
    "on a free GPU": {
        "kaggle push": "kaggle/push.py",
        "kaggle status": "kaggle/status.py",
        "kaggle pull": "kaggle/pull.py",
        "kaggle resume": "kaggle/resume.py",
        "kaggle wheels": "kaggle/wheels.py",
    },
}
VERBS = {verb: script for group in GROUPS.values() for verb, script in group.items()}
COMMAND = "pengadil"

_LAUNCHED = re.compile(r"(accelerate launch [^\n]*?)(scripts/\w+\.py)")
_SCRIPT = re.compile(r"(?:python\s+)?(?<![\w/\\.-])((?:scripts|eval|kaggle)/\w+\.py)\b")
_LIST = re.compile(r"-r requirements-(\w+)\.txt")


def shown(text: str) -> str:
    """`text`, with "python scripts/train.py" as "pengadil train" where it is called so.

    `pengadil VERB` stands in sys.argv[0] then. Lists of requirements, which lie in a checkout
    only, become the extras of that name.
    """
    return as_commands(text) if sys.argv[0].startswith(f"{COMMAND} ") else text


def as_commands(text: str) -> str:
    """`text` with the commands of scripts as those of `pengadil`."""
    calls = {script: f"{COMMAND} {verb}" for verb, script in VERBS.items()}
    text = _LAUNCHED.sub(lambda found: f"{found[1]}-m {calls.get(found[2], found[2])}", text)
    text = _SCRIPT.sub(lambda found: calls.get(found[1], found[0]), text)
    return _LIST.sub(rf'"{COMMAND}[\1]"', text)
