# Input functions: what a job waits for where that depends on its run or on the configuration.


def shard_source(wildcards):
    """What a shard is read from, and what is kept out of it."""
    folder = f"{RESULTS}/splits/{'random' if wildcards.corpus == LEAKY_CORPUS else 'clustered'}"
    files = {
        "held_out": f"{folder}/held_out.parquet",
        "certificate": f"{folder}/leakage.json",
    }
    if wildcards.corpus == "uniparc":
        chunk = wildcards.shard.removeprefix("p")
        return files | {"fasta": f"{RESULTS}/sources/uniparc/uniparc_active_p{chunk}.fasta.gz"}
    if wildcards.corpus == "pfam_proteins":
        return files | {"proteins": f"{RESULTS}/domains/proteins.parquet"}
    return files | {
        "domains": f"{RESULTS}/domains/domains.parquet",
        "split": f"{folder}/split.parquet",
    }


def finetune_start(wildcards):
    """The weights a run starts from; an untrained start waits for no pretraining, an encoder of its
    own starts from nothing, or from the profiles of its training domains. A tagger makes these
    profiles itself: its training proteins are others."""
    run = PROJECT.runs[wildcards.run]
    files = {}
    if getattr(run, "needs_profiles", False) and run.kind == "tagger":
        files["alignments"] = f"{RESULTS}/sources/Pfam-A.seed.gz"
        files["all_domains"] = f"{RESULTS}/domains/domains.parquet"
    elif getattr(run, "needs_profiles", False):
        files["profiles"] = f"{RESULTS}/baselines/profile_hmm/{run.split}/profiles.hmm"
    if run.start_from is not None:
        files["start"] = f"{RESULTS}/runs/{run.start_from}/config.json"
    if run.start_from is not None and run.weights == "pretrained":
        files["weights"] = f"{RESULTS}/pretrain/{run.start_from}/weights.safetensors"
    if getattr(run, "teachers", None):
        files["teachers"] = [
            f"{folder_of(network)}/weights.safetensors"
            for name in run.teachers
            for network in ([name] if name in COMBINATIONS else PROJECT.replicates(name))
        ]
    return files


def ablation_runs(wildcards):
    """The files of all runs of a comparison; those of other projects must be there already."""
    ablation = PROJECT.ablations[wildcards.ablation]
    files = ("predictions.parquet", "summary.json", "metrics.tsv")
    names = (ablation.base, *ablation.runs)
    chosen = sorted({run for name in names for run in PROJECT.trained(name)})
    starts = sorted({FINETUNE[run].start_from for run in chosen} & set(PRETRAIN))
    splits = sorted({FINETUNE[run].split for run in chosen})
    return {
        "runs": expand(f"{RESULTS}/finetune/{{run}}/{{file}}", run=chosen, file=files),
        "starts": expand(f"{RESULTS}/pretrain/{{run}}/{{file}}", run=starts, file=files[1:]),
        "combined": [
            f"{RESULTS}/combinations/{name}/predictions.parquet"
            for name in names
            if name in COMBINATIONS
        ],
        "splits": expand(f"{RESULTS}/splits/{{split}}/split.parquet", split=splits),
        "settings": expand(f"{RESULTS}/runs/{{run}}/config.json", run=[*chosen, *starts]),
        "others": [
            "results/{}/finetune/{}/predictions.parquet".format(*run.split("/"))
            for run in ablation.compare_with
        ],
    }


def setting_lines(settings, path=""):
    """Settings as functions that return a line ``path: value``. As parameters of a rule one each, so
    that Snakemake's reason for a rerun names those that changed, and not the whole configuration.
    """
    if not isinstance(settings, dict) or not settings:
        line = f"{path}: {json.dumps(settings)}"
        # A function: in a plain parameter Snakemake looks for wildcards, and a site's paths have some.
        return [lambda wildcards: line]
    return [
        line
        for key, value in settings.items()
        for line in setting_lines(value, f"{path}.{key}".strip("."))
    ]


def run_settings(name):
    """The settings of a run, by name."""
    return PROJECT.runs[name].model_dump(mode="json")


def run_setting(key):
    """One setting of a rule's run as a parameter, see :func:`setting_lines`; nothing where a run of
    this kind has no such setting."""
    return lambda wildcards: f"{key}: {json.dumps(run_settings(wildcards.run).get(key))}"


def query_page(wildcards):
    """The page of the query, if there is one (``when_settings_come`` asks for it)."""
    return f"{RESULTS}/annotate/{QUERY}/annotation.html" if QUERY else []


def model_files(wildcards):
    """What the model folder is made from, by option of its script."""
    files = {
        "settings": f"{RESULTS}/config.json",
        "profiles": f"{RESULTS}/baselines/profile_hmm/clustered/profiles.hmm",
        "families": f"{RESULTS}/domains/families.tsv",
        "domains": f"{RESULTS}/domains/domains.parquet",
        "split": f"{RESULTS}/splits/clustered/split.parquet",
    }
    if COMPARED:
        for key, name in (("weights", "weights.safetensors"), ("scores", "scores.parquet")):
            files[key] = [f"{folder_of(network)}/{name}" for network in [*COMPARED, *CASCADES]]
    if TAGGER:
        files["tagger"] = f"{RESULTS}/tagger/{TAGGER}/weights.safetensors"
        files["tagger_calls"] = f"{RESULTS}/tagger/{TAGGER}/calls.parquet"
        files["slices"] = f"{RESULTS}/localisation/sequences.parquet"
        files["slice_domains"] = f"{RESULTS}/localisation/domains.parquet"
    if GO:
        files["terms"] = f"{RESULTS}/tasks/go/terms.parquet"
        files["annotations"] = f"{RESULTS}/tasks/go/annotations.parquet"
    if LEADING:
        files["term_network"] = f"{RESULTS}/terms/{LEADING}/weights.safetensors"
        files["term_network_calls"] = f"{RESULTS}/terms/{LEADING}/calls.parquet"
    if MAPPED:
        files["mapping"] = f"{RESULTS}/sources/go/pfam2go"
        files["mapping_calls"] = f"{RESULTS}/baselines/go/domains/calls.parquet"
    return files


def model_options(wildcards, input):
    """The options that tell the script of rule model its files."""
    words = [
        ("runs", " ".join([*COMPARED, *CASCADES])),
        ("tagger_run", TAGGER),
        ("term_network_run", LEADING),
    ]
    words += [(key, input[key]) for key in model_files(wildcards)]
    return " ".join(f"--{key.replace('_', '-')} {value}" for key, value in words if value)


def esm2_files(wildcards):
    """The files of a local folder of ESM-2 weights that a run starts from; a hub id has none."""
    source = PROJECT.runs[wildcards.run].esm2
    if source is None or not Path(source).is_dir():
        return []
    return sorted(str(path) for path in Path(source).iterdir() if path.is_file())


def teacher_files(wildcards):
    """The run that a distillation learns from."""
    teacher = PROJECT.runs[wildcards.run].teacher
    if teacher is None:
        return {}
    return {
        "teacher_config": f"{RESULTS}/runs/{teacher}/config.json",
        "teacher": f"{RESULTS}/pretrain/{teacher}/weights.safetensors",
    }


def clustered_files(wildcards):
    """What the clusters of a corpus are made of: its shards without homologues of held-out domains."""
    folder, shards = f"{RESULTS}/corpora/{wildcards.corpus}", SHARDS[wildcards.corpus]
    files = {"shards": [f"{folder}/shards/{shard}.json" for shard in shards]}
    if HOMOLOGUES and wildcards.corpus != LEAKY_CORPUS:
        files["homologues"] = [f"{folder}/homologues/{shard}.parquet" for shard in shards]
    return files


def corpus_files(wildcards):
    """What the index of a corpus is joined from."""
    surplus = f"{RESULTS}/corpora/{wildcards.corpus}/surplus.parquet"
    return clustered_files(wildcards) | ({"surplus": surplus} if LINCLUST else {})


def left_out(files, *kinds):
    """Options that name the files of rows to be left out, where there are any."""
    return " ".join(f"--{kind} {files[kind]}" for kind in kinds if kind in files.keys())


def corpus_certificate_file(wildcards):
    """Nothing trains on a corpus whose homologues are left out before nothing is found in the rest."""
    corpus = PROJECT.runs[wildcards.run].corpus
    sought = HOMOLOGUES and corpus != LEAKY_CORPUS
    return {"certificate": f"{RESULTS}/corpora/{corpus}/leakage.json"} if sought else {}


def certificate_files(wildcards):
    """The searches that the certificate of a corpus joins."""
    batches = range(0, len(SHARDS[wildcards.corpus]), CERTIFIED_TOGETHER) if HOMOLOGUES else []
    folder = f"{RESULTS}/corpora/{wildcards.corpus}/certificate"
    return [f"{folder}/{start // CERTIFIED_TOGETHER}.json" for start in batches]


def folder_of(method):
    """Where a method's predictions and scores on the clustered split lie."""
    if method in FINETUNE:
        return f"{RESULTS}/finetune/{method}"
    if method in EMBEDDED:
        run, kind = EMBEDDED[method]
        return f"{RESULTS}/embedding/{run}/{kind}"
    if method in COMBINATIONS:
        return f"{RESULTS}/combinations/{method}"
    return f"{RESULTS}/baselines/{method}/clustered"


def about(method):
    """How table 3 sorts a method."""
    if method in FINETUNE:
        run = FINETUNE[method]
        of_profiles = run.needs_profiles and run.weights == "untrained"
        start = "training profiles" if of_profiles else run.weights
        return {"kind": "network", "start": start, "group": group_of(method)}
    kinds = {"neighbour": EMBEDDED, "combination": COMBINATIONS, "baseline": BASELINES}
    return {"kind": next(k for k, names in kinds.items() if method in names), "start": "none"}


def unit_of(method):
    """What a method's scores are measured in."""
    return "nats" if method in FINETUNE else "cosine" if method in EMBEDDED else "bits"


def snapshots_of(run):
    """Weights of a pretraining run by step; step 0 is the untrained network."""
    folder, settings = f"{RESULTS}/pretrain/{run}", PRETRAIN[run]
    between = sorted(step for step in set(settings.snapshots) if 0 < step < settings.steps)
    return {
        0: f"{folder}/untrained.safetensors",
        **{step: f"{folder}/snapshots/step_{step:09d}.safetensors" for step in between},
        # Imported weights that are taken as they are have no step of their own.
        max(1, settings.steps): f"{folder}/weights.safetensors",
    }


def snapshot_files(wildcards):
    """The weights of a run along training; snapshots are one output, their folder.

    A folder has no checksum, so that a copy would seem newer. It is made together with the last
    weights, whose checksum counts."""
    folder = f"{RESULTS}/pretrain/{wildcards.run}"
    found = snapshots_of(wildcards.run)
    ends = [found[0], found[max(found)]]
    return ends + ([ancient(f"{folder}/snapshots")] if len(found) > 2 else [])


def snapshot_options(wildcards):
    """The options that tell a script which weights to read."""
    found = snapshots_of(wildcards.run)
    return f"--weights {' '.join(found.values())} --steps {' '.join(map(str, found))}"


def analysed_files(wildcards):
    """The files of a run that an analysis reads, by option of its script."""
    folder = f"{RESULTS}/analysis/{wildcards.run}"
    known = {
        "weights": snapshot_files(wildcards),
        "posteriors": f"{folder}/posteriors.parquet",
        "frequencies": f"{folder}/prior.json",
        "course": f"{folder}/course.tsv",
        "attention": f"{folder}/attention.parquet",
        "task": f"{RESULTS}/tasks/{CONTACT_TASK}/task.parquet",
        "contacts": f"{RESULTS}/tasks/{CONTACT_TASK}/contacts.parquet",
        "structure": STATE_TABLE,
        "orthologues": ORTHOLOGUES,
        "domains": f"{RESULTS}/domains/domains.parquet",
        "split": f"{RESULTS}/splits/clustered/split.parquet",
    }
    return {key: known[key] for key in ANALYSES[wildcards.analysis]}


def analysis_options(wildcards, input):
    """The options of an analysis: its files, and what it alone needs."""
    keys = ANALYSES[wildcards.analysis]
    files = [f"--{key} {input[key]}" for key in keys if key != "weights"]
    weights = [snapshot_options(wildcards)] if "weights" in keys else []
    budget = (
        [f"--budget {PRETRAIN[wildcards.run].tokens_per_batch}"]
        if wildcards.analysis in ("separation", "orthologues")
        else []
    )
    own = ANALYSIS_OPTIONS.get(wildcards.analysis, "")
    return " ".join([*files, *weights, *budget, own])


def corpus_part(part):
    """The index of one part of the corpus that a run reads."""
    return lambda wildcards: (
        f"{RESULTS}/corpora/{PRETRAIN[wildcards.run].corpus}/{part}/index.json"
    )
