"""The threshold that was chosen for a model on validation data, and where it is kept.

RUN/guard.json for a run, NAME.guard.json beside NAME.gguf, and guard.json in a model folder. It is
for one prompt and one mode: probabilities of others mean something else.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from pengadil.errors import PengadilError
from pengadil.judges.base import SCORE
from pengadil.prompts import Prompt
from pengadil.records import Judgement, write_whole
from pengadil.runs import follow, is_run

FORMAT = 1
FILE = "guard.json"
DEFAULT = 0.5
GIVEN, CHOSEN, MIDDLE, VERDICT = "given", "chosen", "middle", "verdict"
NOT_CHOSEN = "the middle: none was chosen for this model, prompt and mode on validation data"
OF_SAMPLES = "the middle: half of the samples"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A threshold, and how it was chosen.

    `criterion` is the rule in words, `n` the sentences it was chosen on, `rows` their source and
    `sha256` that of the rows. `precision` and `recall` are of catching contradicted sentences, on
    those rows.
    """

    threshold: float
    mode: str
    prompt_sha256: str
    criterion: str
    n: int
    rows: str
    sha256: str
    precision: float | None
    recall: float | None
    model: str = ""
    date: str = ""

    @property
    def source(self) -> str:
        """In words, for people."""
        return f"chosen on {self.n:,} sentences of {self.rows} ({self.criterion})"


@dataclass(frozen=True, slots=True)
class Level:
    """Where a sentence counts as supported, and where that comes from, in words.

    `kind` is one of GIVEN, CHOSEN (then `chosen` says more), MIDDLE and VERDICT.
    """

    threshold: float
    source: str
    kind: str
    chosen: Chosen | None = None

    def supports(self, judgement: Judgement) -> bool:
        """Whether a judgement is enough; one that cannot be read never is."""
        if judgement.probability is None:
            return judgement.verdict == 1
        return judgement.verdict is not None and judgement.probability >= self.threshold

    def for_samples(self) -> Level:
        """The level for a mean over sampled answers: what was chosen for documents does not fit."""
        return self if self.kind == GIVEN else Level(DEFAULT, OF_SAMPLES, MIDDLE)


def level_of(threshold: float | None, model: str, prompt: Prompt, mode: str) -> Level:
    """The threshold that was given, else the one chosen for the model, else the middle.

    Raises PengadilError for one that is not from 0 to 1, and as `threshold_of` does.
    """
    if threshold is not None:
        if not 0 <= threshold <= 1:
            raise PengadilError(f"threshold {threshold}", "not from 0 to 1", "Give 0.5, say.")
        return Level(threshold, "given", GIVEN)
    if mode != SCORE:
        return Level(DEFAULT, f"the verdict itself: mode {mode} gives no probability", VERDICT)
    chosen = threshold_of(model, prompt, mode) if model else None
    if chosen is None:
        return Level(DEFAULT, NOT_CHOSEN, MIDDLE)
    return Level(chosen.threshold, chosen.source, CHOSEN, chosen)


def threshold_file(model: str) -> Path | None:
    """Where the threshold of a model is kept; None for one that has no place on this machine."""
    path = Path(model)
    if is_run(path):
        return follow(path) / FILE
    if path.suffix.lower() == ".gguf":
        return path.with_name(f"{path.stem}.{FILE}")
    return path / FILE if path.is_dir() else None


def threshold_of(model: str, prompt: Prompt, mode: str) -> Chosen | None:
    """The threshold chosen for this model with this prompt and mode; None without one.

    Raises PengadilError for a file that cannot be read.
    """
    path = threshold_file(model)
    if path is None or not path.is_file():
        return None
    chosen = read_chosen(path)
    same = chosen.mode == mode and chosen.prompt_sha256 == prompt.sha256
    return chosen if same else None


def read_chosen(path: Path) -> Chosen:
    """What a guard.json says; PengadilError unless it is a whole one."""
    choose = "Choose one again: python eval/guard.py MODEL --choose"
    try:
        found: dict[str, Any] = dict(json.loads(path.read_text(encoding="utf-8")))
        if found.get("format") != FORMAT:
            raise PengadilError(str(path), f"format {found.get('format')} is not {FORMAT}", choose)
        chosen = Chosen(**{one.name: found[one.name] for one in fields(Chosen)})
        if not 0 <= chosen.threshold <= 1:
            raise ValueError(f"threshold {chosen.threshold} is not from 0 to 1")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PengadilError(str(path), f"no readable threshold ({error})", choose) from None
    return chosen


def write_chosen(path: Path, chosen: Chosen) -> None:
    """Replace the file as a whole."""
    text = json.dumps({"format": FORMAT, **asdict(chosen)}, ensure_ascii=False, indent=2)
    write_whole(path, text + "\n")
