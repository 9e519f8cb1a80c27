"""An adapter to verified GGUF files: convert, quantise, verify, and only then put in place.

smoke-20261121-101500/gguf/
    smoke-20261121-101500-Q8_0.gguf
    export.json     of each file: its SHA-256, how it compares with the adapter, the versions
    reference.json  what the adapter itself said on the slice
    README.md       the model card; Modelfile, for Ollama
    work-*.part/    while an export runs; what a killed one left there is removed by the next
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from pengadil.data.bundled import EASY, load_bundled
from pengadil.errors import PengadilError
from pengadil.export.card import TEMPLATE, check_template, write_card
from pengadil.export.convert import Job, convert, converter_folder
from pengadil.export.facts import facts, general
from pengadil.export.merge import MergedWeights
from pengadil.export.modelfile import write_modelfile
from pengadil.export.quantise import F16, check_quants, quantise
from pengadil.export.record import Exported, Record
from pengadil.export.reference import Reference, adapter_fits, of_adapter, of_sixteen_bits
from pengadil.export.source import FOLDER, Source, open_source
from pengadil.export.space import Route, check_space, route
from pengadil.export.verify import verify
from pengadil.export.weights import measure
from pengadil.judges.llamacpp.library import load_llama_cpp
from pengadil.loading import load_tokenizer
from pengadil.models import file_sha256

SLICE = EASY
WORK = "work-*.part"

# Called with a step's name, how much of it is done, and of how much (0: not known).
Progress = Callable[[str, int, int], None]


def export_gguf(
    run_folder_or_adapter: Path,
    quants: Sequence[str],
    out: Path | None = None,
    verify_rows: int = 200,
    progress: Progress = lambda *_: None,
    threads: int | None = None,
    *,
    work: Path | None = None,
    base: str = "",
    licence: str = "",
    card: Path = TEMPLATE,
    tell: Callable[[str], None] = lambda _: None,
) -> list[Exported]:
    """Write one GGUF for each quantisation into `out`, else into `gguf` in the run's folder.

    A file appears only when its token ids equal training's on every row of the slice and it has
    been compared with the adapter. Files of an earlier call that are whole and of the same
    adapter, base, prompt and slice are kept. What lies on the disk only for a time goes to `work`
    if given. `base` names the 16-bit original of a base in 4 bits. `card` is the model card's
    template. `tell` is given lines for people: what disk and memory are needed. `threads` defaults
    to all.

    Raises PengadilError, before any work, for an unknown quantisation, a missing converter or
    llama-cpp-python, an adapter that does not fit, a template that names what a card does not have,
    and too little space; later, for a file that reads the rows otherwise.
    """
    names = check_quants(quants)
    if verify_rows < 1:
        raise PengadilError(
            f"{verify_rows} rows", "nothing would be verified", "Give 1 row or more."
        )
    check_template(card)
    converter_folder()
    load_llama_cpp()
    source = open_source(run_folder_or_adapter, base)
    MergedWeights(source.base.folder, source.adapter)  # an adapter that does not fit is told now
    folder = out or source.folder / FOLDER
    export = _Export(source, folder, work or folder, verify_rows, progress, threads)
    export.licence, export.tell = licence, tell
    finished = {name: export.finished(name) for name in names}
    missing = [name for name in names if finished[name] is None]
    if missing:
        finished |= export.make(missing)
    files = [file for file in finished.values() if file is not None]
    write_modelfile(source, folder, files[0])
    write_card(source, folder, export.record.entries, licence, card)
    return files


class _Export:
    """One call's work on one folder of files."""

    licence = ""

    def __init__(
        self,
        source: Source,
        folder: Path,
        place: Path,
        rows: int,
        progress: Progress,
        threads: int | None,
    ) -> None:
        self.source, self.folder, self.place = source, folder, place
        self.progress, self.threads = progress, threads
        self.tell: Callable[[str], None] = lambda _: None
        self.examples = load_bundled(SLICE, "test", rows)
        self.record = Record(folder, source, SLICE)

    def path(self, quant: str) -> Path:
        """Where the file of this quantisation belongs."""
        return self.folder / f"{self.source.name}-{quant.upper()}.gguf"

    def finished(self, quant: str) -> Exported | None:
        """The file of this quantisation, if it is in place, whole and verified on as many rows."""
        return self.record.finished(self.path(quant), len(self.examples))

    def make(self, quants: Sequence[str]) -> dict[str, Exported]:
        """Make, verify and put in place the files of these quantisations."""
        size = measure(self.source.base.folder, self.source.adapter)
        fits, why = adapter_fits(self.source, size)
        way = route(size, quants, sixteen=not fits)
        for place in (self.folder, self.place):
            place.mkdir(parents=True, exist_ok=True)
        # The run's name is in it: a work folder may be shared.
        start, end = WORK.replace("-", f"-{self.source.name}-", 1).split("*")
        for left in (*self.place.glob(f"{start}*{end}"), *self.folder.glob("*.gguf.part")):
            shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink()
        self.tell(f"needs {check_space(self.folder, self.place, way, size)}")
        self.tell(why if fits else f"{why}: the merged model in 16 bits stands in for it")
        # A folder of its own: a killed export's converter may still be writing into the last one.
        work = Path(tempfile.mkdtemp(prefix=start, suffix=end, dir=self.place))
        try:
            return self._make(way, fits, work)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _make(self, way: Route, fits: bool, work: Path) -> dict[str, Exported]:
        reference = None
        if fits:
            reference = of_adapter(self.source, SLICE, self.examples, self._steps, self.folder)
        made = {}
        if way.sixteen:
            started, sixteen = time.perf_counter(), work / f"{F16}.gguf"
            self._convert(F16, sixteen)
            reference = reference or of_sixteen_bits(
                self.source, SLICE, self.examples, self._steps, sixteen, self.threads
            )
            for quant in way.quantised:
                began, part = time.perf_counter(), work / f"{quant}.gguf"
                self.progress(f"quantise {quant}", 0, 0)
                quantise(sixteen, part, quant, self.threads)
                made[quant] = self._finish(quant, part, reference, began)
            if way.keep:
                made[F16] = self._finish(F16, sixteen, reference, started)
            sixteen.unlink(missing_ok=True)
        assert reference is not None  # without the adapter, the 16-bit file is on the way
        for quant in way.direct:
            began, part = time.perf_counter(), work / f"{quant}.gguf"
            self._convert(quant, part)
            made[quant] = self._finish(quant, part, reference, began)
        return made

    def _convert(self, quant: str, target: Path) -> None:
        self.progress(f"convert to {quant}", 0, 0)
        source = self.source
        job = Job(
            base=str(source.base.folder.absolute()),
            adapter=str(source.adapter.absolute()),
            name=source.name,
            type=quant,
            general=general(source, self.licence),
            facts=facts(source),
        )
        convert(job, target, target.with_suffix(".log"))

    def _finish(self, quant: str, part: Path, reference: Reference, began: float) -> Exported:
        """Verify a file, then put it in place."""
        check = verify(
            part,
            load_tokenizer(self.source.adapter),
            self.examples,
            self.source.prompt,
            reference,
            self._steps(f"verify {quant}", len(self.examples)),
            self.threads,
        )
        path, size, digest = self.path(quant), part.stat().st_size, file_sha256(part)
        if part.stat().st_dev != self.folder.stat().st_dev:
            # To another disk it is copied, and must not look whole before it is.
            copy = path.with_name(path.name + ".part")
            shutil.copyfile(part, copy)
            part.unlink()
            part = copy
        part.replace(path)
        made = Exported(
            file=path,
            quantisation=quant,
            bytes=size,
            sha256=digest,
            seconds=round(time.perf_counter() - began, 1),
            **asdict(check),
        )
        self.record.add(made)
        return made

    def _steps(self, step: str, rows: int) -> Callable[[int], None]:
        self.progress(step, 0, rows)
        return lambda done: self.progress(step, done, rows)
