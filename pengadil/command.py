"""The command `pengadil`: one verb for each script, the same code."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Callable, Sequence
from types import ModuleType

import pengadil
from pengadil.errors import BAD_INPUT, PengadilError, did_you_mean, run_script
from pengadil.folders import home
from pengadil.verbs import COMMAND, GROUPS, VERBS, as_commands

HELP = ("-h", "--help")
EXAMPLES = """examples:
  pengadil train                          a small judge on the bundled sample, in minutes
  pengadil train laptop --max-hours 2
  pengadil evaluate runs/latest --slice contoh
  pengadil export runs/latest --quant q8_0
  pengadil judge runs/latest --document surat.txt --statement "Ali lahir di Ipoh."
"""


def run() -> None:
    """What the installed command and `python -m pengadil` call; ends the process."""
    run_script(main)


def main(arguments: Sequence[str] | None = None) -> int | None:
    """Run the verb that the words begin with; the exit code.

    Raises PengadilError for an unknown one, and whatever the script raises.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["--version"]:
        print(f"{COMMAND} {pengadil.__version__}")
        return 0
    verb, rest = _verb(words)
    if verb:
        return _call(verb, rest)
    # `kaggle` alone is no verb, but the first word of some.
    group = words[0] if words and any(known.startswith(f"{words[0]} ") for known in VERBS) else ""
    after = words[1:] if group else words
    if after and after[0] not in HELP:
        missing = f"{group} {after[0]}".strip()
        raise PengadilError(repr(missing), "no such verb", did_you_mean(missing, _present()))
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    print(_help(group))
    return 0 if after else BAD_INPUT


def _verb(words: Sequence[str]) -> tuple[str, list[str]]:
    """The verb that the words begin with ("" if none), and the words after it."""
    present = _present()
    for count in (2, 1):
        verb = " ".join(words[:count])
        if len(words) >= count and verb in present:
            return verb, list(words[count:])
    return "", []


def _present() -> list[str]:
    return [verb for verb, script in VERBS.items() if (home() / script).is_file()]


def _call(verb: str, words: list[str]) -> int | None:
    module = _load(verb)
    module.__dict__["make_parser"] = _spoken(module.make_parser)
    # argparse names the program by it, and pengadil.verbs.shown looks there.
    before, sys.argv = sys.argv, [f"{COMMAND} {verb}", *words]
    try:
        code: int | None = module.main(words)
        return code
    except PengadilError as error:
        wrong, next_step = as_commands(error.wrong), as_commands(error.next_step)
        raise PengadilError(error.found, wrong, next_step) from error
    finally:
        sys.argv = before


def _load(verb: str) -> ModuleType:
    script = home() / VERBS[verb]
    # The folder's name alone belongs to other packages: kaggle's library, for one.
    name = f"{COMMAND}_{script.parent.name}_{script.stem}"
    spec = importlib.util.spec_from_file_location(name, script)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _spoken(
    make_parser: Callable[[], argparse.ArgumentParser],
) -> Callable[[], argparse.ArgumentParser]:
    """`make_parser`, with the commands in its parser's texts as those of `pengadil`."""

    def made() -> argparse.ArgumentParser:
        return _speak(make_parser())

    return made


def _speak(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.description = as_commands(parser.description or "")
    parser.epilog = as_commands(parser.epilog or "")
    for action in parser._actions:
        action.help = as_commands(action.help) if action.help else action.help
        if isinstance(action, argparse._SubParsersAction):
            for one in action.choices.values():
                _speak(one)
    return parser


def _help(group: str) -> str:
    """The verbs with a line each; with `group` those of two words that begin with it."""
    present = [verb for verb in _present() if verb.startswith(f"{group} " if group else "")]
    width = max(map(len, present))
    lines = [f"usage: {COMMAND} {group or 'VERB'} ...", ""]
    for title, verbs in GROUPS.items():
        shown = [verb for verb in verbs if verb in present]
        lines += [f"{title}:"] if shown else []
        lines += [f"  {verb:<{width}}  {_first_line(verb)}" for verb in shown]
        lines += [""] if shown else []
    if not group:
        lines += [EXAMPLES]
    lines += [f"{COMMAND} {group + ' ' if group else ''}VERB --help says more of one."]
    return "\n".join(lines)


def _first_line(verb: str) -> str:
    """The first line of the script's docstring, without running it."""
    text = (home() / VERBS[verb]).read_text(encoding="utf-8")
    return as_commands(text.split('"""')[1].splitlines()[0])
