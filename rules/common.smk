import json
import os
import re
import shlex
import sys
from pathlib import Path

SCRIPTS = Path(workflow.basedir) / "workflow" / "scripts"
sys.path.insert(0, str(SCRIPTS))
from pfamformer.annotation.model import ABOUT, FILES, Model
from pfamformer.config import LEAKY_CORPUS, group_of, guess, resolve
from pfamformer.dependencies import code_of, digest, put_interpreter_first
from pfamformer.errors import InputError
from pfamformer.methods import BASELINES, FOLD_METHODS, NEIGHBOURS
from pfamformer.plan import Job as PlannedJob
from pfamformer.plan import banner, closing, failures
from pfamformer.sources.wheels import WHEELS

put_interpreter_first()
# Threads of PyTorch that have nothing to do look for work for a quarter of a millisecond before they
# sleep, not for ten: attention on CPUs has threads of its own, and others may use the machine.
os.environ.setdefault("GOMP_SPINCOUNT", "5000")
try:
    PROJECT = resolve(config)
except InputError as error:
    raise WorkflowError(str(error))

RESULTS = f"results/{PROJECT.project}"
LOGS = f"logs/{PROJECT.project}"
PRETRAIN = PROJECT.runs_of("pretrain")
# Those whose tokens are residues, which analyses look at.
OF_RESIDUES = {name: run for name, run in PRETRAIN.items() if not run.network.merges}
FINETUNE = PROJECT.runs_of("finetune")
TAGGERS = PROJECT.runs_of("tagger")
SPLITS = ["clustered", "random"]
QUERY = re.sub(r"(\.(fasta|fas|faa|fa|fsa|pep|gz))+$", "", Path(PROJECT.query or "").name)
CORPORA = sorted({run.corpus for run in PRETRAIN.values()})
# Corpora that hold nothing of the clustered split's held-out domains.
SOUND_CORPORA = [corpus for corpus in CORPORA if corpus != LEAKY_CORPUS]
# JSON files of what the report shows (pfamformer/report/items.py); each rule file adds its own.
ITEMS = []


# Inputs up to this size that are newer by time stamp but equal by checksum rerun nothing. Snakemake
# compares only files below 1 MB; a corpus or a set of weights is larger.
CHECKSUMS_UP_TO = 256 * 1024**2


def when_settings_come(workflow_, settings):
    """Raise the limit of checksums, and refuse targets that lack something or are misspelt.

    Command-line options reach the workflow after its files are read, hence the property."""
    if "annotate" in settings.targets and not QUERY:
        raise WorkflowError("annotate needs a FASTA file: --config query=my.fasta")
    if "ablation" in settings.targets and not PROJECT.ablations:
        raise WorkflowError("ablation needs comparisons: --configfile config/ablations/heads.yaml")
    rule_names = [rule.name for rule in workflow_.rules]
    for target in settings.targets:
        if re.fullmatch(r"[\w-]+", target) and target not in rule_names:
            raise WorkflowError(f"no target {target!r}{guess(target, rule_names)}")
    settings.max_checksum_file_size = max(CHECKSUMS_UP_TO, settings.max_checksum_file_size)
    workflow_.__dict__["dag_settings"] = settings


type(workflow).dag_settings = property(
    lambda self: self.__dict__.get("dag_settings"), when_settings_come
)


def names(known):
    """A regular expression that matches exactly these names."""
    return "|".join(sorted(known)) or "(?!)"


def files_of(*targets):
    """Files that named rules make, or for a rule that only collects, what it collects."""
    return lambda wildcards: [
        path
        for target in targets
        for path in getattr(rules, target).output or getattr(rules, target).input
    ]


def code(name):
    """A script, first, and the library modules it imports. As ``ancient`` inputs they are listed and
    must exist, but their time stamps, which a clone or a checkout sets anew, never count: what counts is
    ``code_digest`` among the rule's parameters."""
    return ancient([os.path.relpath(path) for path in code_of(SCRIPTS / f"{name}.py")])


def code_digest(name):
    """A hash of the contents of :func:`code`: an edit reruns the rules that import the file."""
    return digest(code_of(SCRIPTS / f"{name}.py"))


def same_configuration():
    """Command-line options that make this configuration again, but for the query."""
    settings = workflow.config_settings
    files = [os.path.relpath(path) for path in settings.configfiles]
    given = {key: value for key, value in settings.config.items() if key not in ("query", "model")}
    words = ["--configfile", *files] if files else []
    words += ["--config", *(f"{key}={json.dumps(given[key])}" for key in given)] if given else []
    return shlex.join(words)


def templates(name):
    """A page template and what it includes."""
    folder = SCRIPTS.parent / "report"
    return [os.path.relpath(folder / f"{file}.html.j2") for file in (name, "style", "sort")]


def need(kind, key):
    """A resource of this kind of work, as Snakemake wants it: None where nothing is asked for."""
    asked = getattr(PROJECT.resources, kind)
    several = asked.nodes > 1
    value = {
        "threads": asked.threads,
        "mem_mb": asked.mem_mb,
        "runtime": asked.runtime,
        "gpu": asked.gpus if asked.gpus and not several else None,
        "gpu_model": asked.gpu_model if asked.gpus and not several else None,
        "gres": f"gpu:{asked.gpus}" if asked.gpus and several else None,
        "nodes": asked.nodes if several else None,
        "tasks": asked.nodes if several else None,
        "tasks_per_gpu": 0 if several else None,
        "mpi": "srun" if several else None,
    }[key]
    # Only memory and time grow with attempts: a retried job asks for what it may have lacked.
    if key in ("mem_mb", "runtime"):
        return lambda wildcards, attempt: value * attempt
    return value if key == "threads" else lambda wildcards: value


def launcher(kind):
    """How a training script is started: python, torchrun, or torchrun on each of several nodes."""
    asked = getattr(PROJECT.resources, kind)
    if asked.nodes == 1 and asked.gpus <= 1:
        return "python"
    if asked.nodes == 1:
        return f"torchrun --standalone --nproc-per-node {asked.gpus}"
    node = os.path.relpath(SCRIPTS / "torchrun_node.sh")
    return (
        f"srun --nodes {asked.nodes} --ntasks {asked.nodes} --ntasks-per-node 1 "
        f"--cpus-per-task {asked.threads} bash {node} {asked.nodes} {max(1, asked.gpus)}"
    )


def split_alignments(wildcards):
    """The seed alignments, where the definition of the split looks at them."""
    by_alignment = PROJECT.splits.definition == "alignment"
    return {"alignments": f"{RESULTS}/sources/Pfam-A.seed.gz"} if by_alignment else {}


def alignments_option(wildcards, input):
    return f"--alignments {input.alignments}" if "alignments" in input.keys() else ""
