"""A finished evaluation to Weights & Biases or to Weave: only when asked, and also offline.

What is sent: the scores, what was run and on what, and a table of rows (id, gold label, verdict,
rule, probability). Documents, questions and the judge's own words go with them only when
`include_text` says so.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pengadil import tracking_content as content
from pengadil.errors import PengadilError
from pengadil.records import Example, Judgement, read_jsonl, read_judgements, write_whole
from pengadil.tracking_access import (
    KEY,
    PROJECT,
    mode,
    need,
    project_of,
    quiet,
    quiet_wandb,
    reason,
    wandb_settings,
)

RESULTS, WEAVE_FILE = "results.jsonl", "weave-offline.jsonl"
FINISH_TIMEOUT = 300  # seconds
# Of a prediction in Weave, the rest being the judge's output.
INPUTS = ("id", "gold", "passage", "question")
WEAVE_SETTINGS = {
    # Else it wraps openai and others, and sends what they are asked.
    "implicitly_patch_integrations": False,
    "capture_code": False,
    "capture_client_info": False,
    "capture_system_info": False,
    "print_call_link": False,
    # These two leave files behind.
    "use_server_cache": False,
    "enable_disk_fallback": False,
}


def log_to_wandb(
    folder: Path,
    summary: Mapping[str, Any],
    project: str | None = None,
    offline: bool = False,
    *,
    examples: Iterable[Example] = (),
    include_text: bool = False,
) -> str:
    """Log a results folder as a run of Weights & Biases; return its URL.

    Offline, nothing is sent: the run is written to the folder's own `wandb/`, and what is
    returned names it with the command that sends it. `project` may be `entity/project`;
    `examples` are the texts that `include_text` adds. Raises PengadilError without the library,
    without a key, or when the service does not take the run.
    """
    offline = offline or mode() == "offline"
    need("wandb", sends=not offline)
    entity, name = project_of(project)
    judgements = read_judgements(folder / RESULTS)
    rows = content.rows(judgements, examples, include_text)
    with quiet_wandb(folder):
        import wandb

        table = wandb.Table(columns=[*rows[0]], data=[[*row.values()] for row in rows])
        logged = {"rows": table, **_pictures(judgements)}
        try:
            run = wandb.init(
                project=name,
                entity=entity,
                name=content.title(summary),
                dir=folder,
                mode="offline" if offline else "online",
                config=content.settings(summary),
                settings=wandb_settings(FINISH_TIMEOUT),
            )
            run.log(logged)
            run.summary.update(content.figures(summary))
            url, written = run.url, Path(run.dir).parent
            run.finish()
        except Exception as error:
            raise _refused("Weights & Biases", type(error).__name__, str(error)) from None
    if offline:
        written = folder / "wandb" / written.name
        return f'{written} (nothing was sent; to send it: wandb sync "{written}")'
    return str(url)


def log_to_weave(
    folder: Path,
    summary: Mapping[str, Any],
    project: str | None = None,
    offline: bool = False,
    *,
    examples: Iterable[Example] = (),
    include_text: bool = False,
) -> str:
    """Log a results folder as an evaluation in Weave; return its URL.

    Weave has no offline mode of its own: offline, what it would be told is written to the
    folder's weave-offline.jsonl, which `send_weave` sends later. Raises PengadilError as
    `log_to_wandb` does.
    """
    judgements = read_judgements(folder / RESULTS)
    rows = content.rows(judgements, examples, include_text)
    about = {
        "title": content.title(summary),
        "project": project or PROJECT,
        "settings": content.settings(summary),
        "figures": content.figures(summary),
        "rows": len(rows),
    }
    if not (offline or mode() == "offline"):
        return _send(about, rows)
    path = folder / WEAVE_FILE
    lines = [json.dumps(line, ensure_ascii=False) + "\n" for line in (about, *rows)]
    write_whole(path, "".join(lines))
    return f'{path} (nothing was sent; to send it: python eval/evaluate.py --send-weave "{folder}")'


def send_weave(folder: Path, project: str | None = None) -> str:
    """Send what `log_to_weave` has written offline; return its URL and remove the file.

    Raises PengadilError as `log_to_wandb` does; the file then stays.
    """
    path = folder / WEAVE_FILE
    lines = [line for _, line in read_jsonl(path)]
    if not lines or lines[0].get("rows") != len(lines) - 1:
        raise PengadilError(str(path), "it is not whole", "Log the evaluation again.")
    url = _send({**lines[0], "project": project or lines[0]["project"]}, lines[1:])
    path.unlink()
    return url


def _send(about: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """Log to Weave with its EvaluationLogger, made for evaluations that ran elsewhere."""
    need("weave")
    with quiet():
        import weave

        with _faults_of("weave") as faults:
            try:
                client = weave.init(about["project"], settings=WEAVE_SETTINGS)
                model = about["settings"]["model"]
                log = weave.EvaluationLogger(
                    name=about["title"],
                    # Under one name, the model's facts cannot collide with Weave's own.
                    model={"name": model["name"], "facts": model},
                    dataset=about["settings"]["slice"]["name"],
                    eval_attributes=about["settings"],
                    # A call a row, not one more for each of its scores.
                    trace_scores=False,
                )
                for row in rows:
                    inputs = {key: row[key] for key in INPUTS if key in row}
                    output = {key: value for key, value in row.items() if key not in inputs}
                    prediction = log.log_prediction(inputs=inputs, output=output)
                    prediction.log_score("right", row["verdict"] == row["gold"])
                    prediction.log_score("unreadable", row["verdict"] is None)
                    prediction.finish()
                log.log_summary(about["figures"])
                url = log.ui_url
                client.finish(use_progress_bar=False)
                weave.finish()
            except Exception as error:
                raise _refused("Weave", type(error).__name__, str(error)) from None
        # What it sends in the background and fails to, it only writes to its log.
        if faults:
            raise _refused("Weave", "its log", faults[0])
    return str(url)


def _refused(service: str, kind: str, said: str) -> PengadilError:
    return PengadilError(
        service,
        f"the evaluation could not be logged ({reason(kind, said)})",
        f"Check {KEY} and the network, or log offline; the results are kept.",
    )


@contextlib.contextmanager
def _faults_of(library: str) -> Iterator[list[str]]:
    """The errors that a library only logs: what it sends in the background and fails to."""
    faults: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            faults.append(record.getMessage())

    logger = logging.getLogger(library)
    handlers, propagate = logger.handlers, logger.propagate
    logger.handlers, logger.propagate = [Listener(logging.ERROR)], False
    try:
        yield faults
    finally:
        logger.handlers, logger.propagate = handlers, propagate


def _pictures(judgements: Sequence[Judgement]) -> dict[str, Any]:
    """The report's pictures, as W&B's."""
    import wandb
    from PIL import Image

    from pengadil.report.pictures import confusion_picture, reliability_picture
    from pengadil.statistics import scores

    found = scores(judgements)
    drawn = {"confusion": confusion_picture(found)}
    if found.calibration:
        drawn["reliability"] = reliability_picture(found.calibration)
    return {name: wandb.Image(Image.open(io.BytesIO(png))) for name, png in drawn.items()}
