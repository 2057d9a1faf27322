# Input functions: what a job waits for where that depends on its run or on the configuration.


def shard_source(wildcards):
    """What a shard is read from."""
    if wildcards.corpus == "uniparc":
        chunk = wildcards.shard.removeprefix("p")
        return {"fasta": f"{RESULTS}/sources/uniparc/uniparc_active_p{chunk}.fasta.gz"}
    if wildcards.corpus == "pfam_proteins":
        return {"proteins": f"{RESULTS}/domains/proteins.parquet"}
    return {
        "domains": f"{RESULTS}/domains/domains.parquet",
        "split": f"{RESULTS}/splits/clustered/split.parquet",
    }


def finetune_start(wildcards):
    """The weights a run starts from; an untrained start waits for no pretraining, an encoder of its
    own starts from nothing, or from the profiles of its training domains."""
    run = PROJECT.runs[wildcards.run]
    files = {}
    if getattr(run, "needs_profiles", False):
        files["profiles"] = f"{RESULTS}/baselines/profile_hmm/{run.split}/profiles.hmm"
    if run.start_from is not None:
        files["start"] = f"{RESULTS}/runs/{run.start_from}/config.json"
    if run.start_from is not None and run.weights == "pretrained":
        files["weights"] = f"{RESULTS}/pretrain/{run.start_from}/weights.safetensors"
    return files


def ablation_runs(wildcards):
    """The files of all runs of a comparison; those of other projects must be there already."""
    ablation = PROJECT.ablations[wildcards.ablation]
    files = ("predictions.parquet", "summary.json", "metrics.tsv")
    chosen = [run for name in (ablation.base, *ablation.runs) for run in PROJECT.replicates(name)]
    starts = sorted({FINETUNE[run].start_from for run in chosen} & set(PRETRAIN))
    splits = sorted({FINETUNE[run].split for run in chosen})
    return {
        "runs": expand(f"{RESULTS}/finetune/{{run}}/{{file}}", run=chosen, file=files),
        "starts": expand(f"{RESULTS}/pretrain/{{run}}/{{file}}", run=starts, file=files[1:]),
        "splits": expand(f"{RESULTS}/splits/{{split}}/split.parquet", split=splits),
        "settings": expand(f"{RESULTS}/runs/{{run}}/config.json", run=[*chosen, *starts]),
        "others": [
            "results/{}/finetune/{}/predictions.parquet".format(*run.split("/"))
            for run in ablation.compare_with
        ],
    }


def query_page(wildcards):
    """The page of the query, which must be named."""
    if not QUERY:
        raise WorkflowError("annotate: name a FASTA file: --config query=my.fasta")
    return f"{RESULTS}/annotate/{QUERY}/annotation.html"


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
