"""What the workflow says at its start and its end: the plan, what was made, what failed and why."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pfamformer.config import PretrainSettings, Project

#: Rules at the start, and files at the end, that are listed; of more their number is said.
SHOWN = 6
#: Lines of a failed job's log that are shown: an error line with a traceback's end before it.
LAST_LINES = 15
# Bytes of a parameter: weights; and in a training state, AdamW's two moments too (all float32).
_WEIGHTS, _STATE = 4, 12
# The wheels of the embedded sources and what is made from them, measured on the demo.
_EMBEDDED_BYTES = 500e6
# Shards, tables and alignments made from gzipped sources, over their size: one byte a residue for
# each corpus, which gzip brings to a little over half.
_GROWTH = 3
# A gzipped UniParc chunk, of 200: an estimate, for a plan made before any of them is there.
_CHUNK_BYTES = 1e9


@dataclass(frozen=True)
class Job:
    """A planned job: its rule, the GPUs it holds and its time limit in minutes."""

    rule: str
    gpus: int
    runtime: int


def banner(project: Project, jobs: Sequence[Job], results: Path) -> str:
    """The plan: jobs, the GPU time their limits allow, and the disk that is needed.

    With a saved model nothing is trained or fetched: the plan then names the model.
    """
    found = Counter(job.rule for job in jobs)
    kinds = ", ".join(f"{count} {rule}" for rule, count in found.most_common(SHOWN))
    more = " …" if len(found) > SHOWN else ""
    gpu_hours = sum(job.gpus * job.runtime for job in jobs) / 60
    needed, free = disk_bytes(project), shutil.disk_usage(_existing(results)).free
    runs = (
        f"{len(project.runs_of('pretrain'))} pretraining "
        f"and {len(project.runs_of('finetune'))} fine-tuning runs"
    )
    lines = [
        f"pfamformer: project {project.project!r}, "
        + (f"with the model in {project.model}" if project.model else runs),
        f"  jobs      {len(jobs)} to run" + (f" ({kinds}{more})" if kinds else ""),
        f"  GPUs      at most {gpu_hours:,.0f} GPU-hours by the time limits"
        if gpu_hours
        else "  GPUs      none asked for",
        f"  disk      {_size(free)} free"
        if project.model
        else f"  disk      about {_size(needed)} for everything, {_size(free)} free",
        f"  results   {results}",
    ]
    if needed > free and not project.model:
        lines.append("  warning   the disk may not be large enough")
    return "\n".join(lines)


def disk_bytes(project: Project) -> float:
    """A rough need of disk in bytes: sources and what is made from them, weights and states.

    Exact to a factor of about two; unfinished runs hold their states, finished ones do not.
    """
    files, pfam = project.sources.files, project.sources.pfam
    if project.sources.provider == "files" and files is not None:
        found = [p.stat().st_size for p in Path(files.folder).glob("*.gz")]
        total = float(_GROWTH * sum(found))
    elif project.sources.provider == "pfam" and pfam is not None:
        known = [file.size or 0 for site in pfam.sites.values() for file in site.files.values()]
        total = _GROWTH * (sum(known) + _CHUNK_BYTES * project.sources.uniparc_chunks)
    else:
        total = _EMBEDDED_BYTES
    for run in project.runs.values():
        if isinstance(run, PretrainSettings):
            # Trained and untrained weights, and one training state.
            total += parameters(run) * (2 * _WEIGHTS + _STATE)
        else:
            start = project.runs.get(run.start_from or "")
            if isinstance(start, PretrainSettings):
                total += parameters(start) * (_WEIGHTS + _STATE)
    return total


def parameters(run: PretrainSettings) -> int:
    """Parameters of a Transformer encoder without embeddings: attention and feed-forward."""
    network = run.network
    return network.layers * (4 * network.width**2 + 2 * network.width * network.feed_forward)


def closing(results: Path, targets: Iterable[Path]) -> str:
    """What was made: the pages, or where there is none the figures and tables."""
    there = sorted({path.resolve() for path in targets if path.exists()})
    made = [f"  open      {path}" for path in there if path.suffix == ".html"]
    if not made:
        read = [path for path in there if path.suffix in (".svg", ".tsv")]
        made = [f"  made      {path}" for path in read[:SHOWN]]
        if len(read) > SHOWN:
            made.append(f"            and {len(read) - SHOWN} more figures and tables")
    return "\n".join(["pfamformer: done", *made, f"  results   {results.resolve()}"])


def failures(snakemake_log: str) -> str:
    """The log of each job that failed, with its last lines; what to do then.

    Args:
        snakemake_log: text of Snakemake's own log of this run.
    """
    blocks = re.findall(
        r"^Error in rule (\S+?):?\n((?:[ \t]+.*\n|\n(?=[ \t]))*)", snakemake_log, re.M
    )
    said: dict[str, str] = {}
    for rule, block in blocks:
        found = re.search(r"^\s+log: (.*?)(?: \(check log file.*)?$", block, re.M)
        path = Path(found[1].split(",")[0].strip()) if found else None
        said[f"{rule} {path}"] = f"  {rule} failed" + (
            f": {path}\n{_tail(path)}" if path else ": it keeps no log"
        )
    if not blocks:  # with --quiet rules Snakemake keeps the command of a failed job alone
        for path in re.findall(r"^Command '.*? 2> (\S+)' returned", snakemake_log, re.M | re.S):
            said[path] = f"  a job failed: {path}\n{_tail(Path(path))}"
    if not said:
        return "pfamformer: stopped; the reason is above"
    return "\n".join(
        [
            f"pfamformer: stopped, {len(said)} job{'s' if len(said) > 1 else ''} failed",
            *said.values(),
            "  Mend the cause and give the same command again: finished files are kept, training "
            "continues where it was.",
        ]
    )


def _tail(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "    | (there is no such file: the job did not start, or its node failed)"
    return "\n".join(f"    | {line}" for line in lines[-LAST_LINES:]) or "    | (it is empty)"


def _existing(path: Path) -> Path:
    path = path.absolute()
    return path if path.exists() else _existing(path.parent)


def _size(number: float) -> str:
    for unit in ("MB", "GB"):
        number /= 1000 if unit == "GB" else 1e6
        if number < 1000:
            break
    return f"{number:,.1f} {unit}" if number < 10 else f"{number:,.0f} {unit}"
