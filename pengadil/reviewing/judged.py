"""Rows that scripts/judge.py wrote, which carry their texts and have no label."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pengadil.data.files import renamed
from pengadil.data.formats import Broken, read_file
from pengadil.data.published import language_code
from pengadil.errors import PengadilError
from pengadil.forms import REASONED_VERDICT, VERDICT
from pengadil.judging.places import Places
from pengadil.judging.terms import OURS
from pengadil.naming import Columns
from pengadil.records import TEXT_FIELDS, Example, Judgement
from pengadil.reviewing.doubt import most_doubtful_first
from pengadil.reviewing.rows import Row, Work, judge_sha256


def open_judged(path: Path, folder: Path) -> Work:
    """The work on a file of judged rows; its reviews lie in `folder`.

    Rows that were not judged, for want of a text, are left out. The file holds the judge's
    reasoning and not its whole answer, so `raw` is that answer as the judge is taught to write it.
    Raises PengadilError for a file that judge.py has not finished, and one without rows.
    """
    settings = _settings(path)
    prompt = settings.get("prompt")
    rows = most_doubtful_first(_rows(path, settings))
    if not rows:
        raise PengadilError(str(path), "no row in it was judged", "Judge its rows again.")
    return Work(
        title=path.as_posix(),
        folder=folder,
        model=str(settings["model"]["name"]),
        slice_name=path.name,
        slice_sha256=str(settings["source"].get("sha256")),
        judge_sha256=judge_sha256(settings),
        prompt=prompt if isinstance(prompt, dict) else {},
        rows=rows,
    )


def _settings(path: Path) -> Mapping[str, Any]:
    place = Places.of(path).summary
    try:
        settings = json.loads(place.read_text(encoding="utf-8"))["settings"]
        settings["model"]["name"], settings["source"], Columns(**settings["columns"])
    except (OSError, ValueError, KeyError, TypeError):
        raise PengadilError(
            str(path),
            f"no {place.name} beside it tells what judged it",
            f"Judge the rows: python scripts/judge.py MODEL ROWS --out {path.name}",
        ) from None
    return dict(settings)


def _rows(path: Path, settings: Mapping[str, Any]) -> Iterator[Row]:
    columns = Columns(**settings["columns"])
    ours = [str(settings.get("prefix") or "") + name for name in OURS]
    seen: set[str] = set()
    for number, found in read_file(path):
        if isinstance(found, Broken):
            continue
        said = [found.get(name) for name in ours]
        texts = renamed({key: value for key, value in found.items() if key not in ours}, columns)
        if not all(
            isinstance(texts.get(name), str) and texts[name].strip() for name in TEXT_FIELDS
        ):
            continue
        named = str(texts.get("id") or "").strip()
        row_id = named if named and named not in seen else f"{path.stem}-{number}"
        seen.add(row_id)
        example = Example(
            id=row_id,
            passage=str(texts["passage"]),
            question=str(texts["question"]),
            answer=0,
            language=language_code(str(texts.get("language") or columns.language or "ms")),
            source=str(texts.get("source") or path.stem),
            group=str(texts.get("group") or ""),
        )
        yield Row(example, _judgement(example, said))


def _judgement(example: Example, said: list[Any]) -> Judgement:
    verdict, probability, rule, reasoning = said
    # A .csv file holds texts, and nothing as an empty one.
    value = None if verdict in (None, "") else int(verdict)
    form = REASONED_VERDICT if reasoning else VERDICT
    return Judgement(
        id=example.id,
        gold=None,
        verdict=value,
        rule=str(rule or ""),
        probability=None if probability in (None, "") else float(probability),
        raw="" if value is None else form.text(value, str(reasoning) if reasoning else None),
        language=example.language,
        source=example.source,
        group=example.group,
        characters=len(example.passage),
    )
