# Remote homology: the task of this name, networks and baselines on it, and table 4.

FOLDS = f"{RESULTS}/tasks/remote_homology"
HAS_FOLDS = "remote_homology" in TASK_FILES
FOLD_RUNS = PROJECT.runs_of("fold") if HAS_FOLDS else {}
FOLD_PREDICTIONS = (
    {
        **{run: f"{RESULTS}/folds/{run}/predictions.parquet" for run in FOLD_RUNS},
        **{
            method: f"{RESULTS}/baselines/{method}/folds/predictions.parquet"
            for method in (*BASELINES, *FOLD_METHODS)
        },
    }
    if HAS_FOLDS
    else {}
)

if HAS_FOLDS:
    ITEMS.append(f"{RESULTS}/tables/table_4.json")


rule fold_data:
    """Domains with their fold and part, and an alignment of each fold's training domains."""
    input:
        task=f"{FOLDS}/task.parquet",
        code=code("fold_data"),
    output:
        domains=f"{FOLDS}/domains.parquet",
        split=f"{FOLDS}/split.parquet",
        alignments=f"{FOLDS}/alignments.sto.gz",
    log:
        f"{LOGS}/fold_data.log",
    benchmark:
        f"{RESULTS}/benchmarks/fold_data.tsv"
    conda:
        "../envs/famsa.yaml"
    threads: need("profiles", "threads")
    resources:
        mem_mb=need("profiles", "mem_mb"),
        runtime=need("profiles", "runtime"),
    params:
        code=code_digest("fold_data"),
    shell:
        "python {input.code[0]} --task {input.task} --threads {threads} --domains {output.domains}"
        " --split {output.split} --alignments {output.alignments} 2> {log}"


rule fold_network:
    """A network that learns the folds of domains."""
    input:
        unpack(finetune_start),
        config=f"{RESULTS}/runs/{{run}}/config.json",
        domains=f"{FOLDS}/domains.parquet",
        split=f"{FOLDS}/split.parquet",
        code=code("finetune"),
    output:
        weights=f"{RESULTS}/folds/{{run}}/weights.safetensors",
        predictions=f"{RESULTS}/folds/{{run}}/predictions.parquet",
        scores=f"{RESULTS}/folds/{{run}}/scores.parquet",
        metrics=f"{RESULTS}/folds/{{run}}/metrics.tsv",
        summary=f"{RESULTS}/folds/{{run}}/summary.json",
    log:
        f"{LOGS}/folds/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/folds/{{run}}.tsv"
    wildcard_constraints:
        run=names(FOLD_RUNS),
    conda:
        "../envs/torch.yaml"
    threads: need("finetune", "threads")
    resources:
        mem_mb=need("finetune", "mem_mb"),
        runtime=need("finetune", "runtime"),
        gpu=need("finetune", "gpu"),
        gpu_model=need("finetune", "gpu_model"),
        gres=need("finetune", "gres"),
        nodes=need("finetune", "nodes"),
        tasks=need("finetune", "tasks"),
        tasks_per_gpu=need("finetune", "tasks_per_gpu"),
        mpi=need("finetune", "mpi"),
    params:
        code=code_digest("finetune"),
        launch=launcher("finetune"),
        start=lambda wildcards, input: " ".join(
            f"--{key} {input[key]}" for key in ("start", "weights") if key in input.keys()
        ),
        candidates=PROJECT.evaluation.candidates,
        state=lambda wildcards: f"{RESULTS}/state/folds/{wildcards.run}",
        output=lambda wildcards, output: str(Path(output.weights).parent),
    shell:
        "{params.launch} {input.code[0]} --config {input.config} --run {wildcards.run}"
        " {params.start} --candidates {params.candidates} --domains {input.domains}"
        " --split {input.split} --state {params.state} --output {params.output}"
        " --threads {threads} 2> {log}"


rule fold_neighbours:
    """Nearest training domains by MMseqs2, their vote, and the most frequent fold."""
    input:
        domains=f"{FOLDS}/domains.parquet",
        split=f"{FOLDS}/split.parquet",
        code=code("neighbours"),
    output:
        [
            f"{RESULTS}/baselines/{method}/folds/{file}.parquet"
            for method in NEIGHBOURS
            for file in ("predictions", "scores")
        ],
    log:
        f"{LOGS}/fold_neighbours.log",
    benchmark:
        f"{RESULTS}/benchmarks/fold_neighbours.tsv"
    conda:
        "../envs/mmseqs2.yaml"
    threads: need("search", "threads")
    resources:
        mem_mb=need("search", "mem_mb"),
        runtime=need("search", "runtime"),
    params:
        code=code_digest("neighbours"),
        candidates=PROJECT.evaluation.candidates,
        folder=lambda wildcards, output: str(Path(output[0]).parents[2]),
    shell:
        "python {input.code[0]} --domains {input.domains} --split {input.split}"
        " --candidates {params.candidates} --threads {threads} --output {params.folder}"
        " --name folds 2> {log}"


rule fold_composition:
    """A kernel machine on the composition of domains; it has no seed."""
    input:
        domains=f"{FOLDS}/domains.parquet",
        split=f"{FOLDS}/split.parquet",
        code=code("fold_composition"),
    output:
        predictions=f"{RESULTS}/baselines/composition/folds/predictions.parquet",
        scores=f"{RESULTS}/baselines/composition/folds/scores.parquet",
        about=f"{RESULTS}/baselines/composition/folds/machine.json",
    log:
        f"{LOGS}/fold_composition.log",
    benchmark:
        f"{RESULTS}/benchmarks/fold_composition.tsv"
    conda:
        "../envs/tables.yaml"
    threads: need("analysis", "threads")
    resources:
        mem_mb=need("analysis", "mem_mb"),
        runtime=need("analysis", "runtime"),
    params:
        code=code_digest("fold_composition"),
        candidates=PROJECT.evaluation.candidates,
        output=lambda wildcards, output: str(Path(output.predictions).parent),
    shell:
        "OMP_NUM_THREADS={threads} OPENBLAS_NUM_THREADS={threads} python {input.code[0]}"
        " --domains {input.domains} --split {input.split} --run composition"
        " --candidates {params.candidates} --output {params.output} 2> {log}"


rule fold_combination:
    """Composition and neighbours, with weights that the development part fits."""
    input:
        domains=f"{FOLDS}/domains.parquet",
        split=f"{FOLDS}/split.parquet",
        scores=expand(
            f"{RESULTS}/baselines/{{method}}/folds/scores.parquet",
            method=("composition", "mmseqs2_vote"),
        ),
        code=code("combine"),
    output:
        predictions=f"{RESULTS}/baselines/composition_and_vote/folds/predictions.parquet",
        scores=f"{RESULTS}/baselines/composition_and_vote/folds/scores.parquet",
        about=f"{RESULTS}/baselines/composition_and_vote/folds/combination.json",
    log:
        f"{LOGS}/fold_combination.log",
    conda:
        "../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=need("light", "mem_mb"),
        runtime=need("light", "runtime"),
    params:
        code=code_digest("combine"),
        candidates=PROJECT.evaluation.candidates,
        output=lambda wildcards, output: str(Path(output.predictions).parent),
    shell:
        "python {input.code[0]} --domains {input.domains} --split {input.split}"
        " --members composition mmseqs2_vote --scores {input.scores} --units nats bits"
        " --rule fitted --run composition_and_vote --candidates {params.candidates}"
        " --output {params.output} 2> {log}"


rule fold_profiles:
    """One profile per fold from its aligned training domains, two passes, the highest score wins."""
    input:
        alignments=f"{FOLDS}/alignments.sto.gz",
        domains=f"{FOLDS}/domains.parquet",
        split=f"{FOLDS}/split.parquet",
        code=code("profile_hmm"),
    output:
        profiles=f"{RESULTS}/baselines/profile_hmm/folds/profiles.hmm",
        predictions=f"{RESULTS}/baselines/profile_hmm/folds/predictions.parquet",
        scores=f"{RESULTS}/baselines/profile_hmm/folds/scores.parquet",
    log:
        f"{LOGS}/fold_profiles.log",
    benchmark:
        f"{RESULTS}/benchmarks/fold_profiles.tsv"
    conda:
        "../envs/hmmer.yaml"
    threads: need("profiles", "threads")
    resources:
        mem_mb=need("profiles", "mem_mb"),
        runtime=need("profiles", "runtime"),
    params:
        code=code_digest("profile_hmm"),
        min_length=PROJECT.domains.min_length,
        seed=PROJECT.seed,
        candidates=PROJECT.evaluation.candidates,
        output=lambda wildcards, output: str(Path(output.predictions).parent),
    shell:
        "python {input.code[0]} --seed-alignments {input.alignments}"
        " --min-length {params.min_length} --domains {input.domains} --split {input.split}"
        " --seed {params.seed} --run profile_hmm --threads {threads} --profiles {output.profiles}"
        " --candidates {params.candidates} --output {params.output} 2> {log}"


rule table_4:
    """Accuracy of folds on every holdout; empty, and saying so, where no folds are configured."""
    input:
        task=[f"{FOLDS}/task.parquet"] if HAS_FOLDS else [],
        predictions=FOLD_PREDICTIONS.values(),
        code=code("table_4"),
    output:
        table=report(
            f"{RESULTS}/tables/table_4.tsv",
            caption="../workflow/report/table_4.rst",
            category="Tables",
            labels={"item": "table 4: remote homology"},
        ),
        item=f"{RESULTS}/tables/table_4.json",
    log:
        f"{LOGS}/table_4.log",
    conda:
        "../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=need("light", "mem_mb"),
        runtime=need("light", "runtime"),
    params:
        code=code_digest("table_4"),
        task=f"--task {FOLDS}/task.parquet" if HAS_FOLDS else "",
        groups=[group_of(name) for name in FOLD_PREDICTIONS],
        bootstrap=PROJECT.evaluation.bootstrap,
        confidence=PROJECT.evaluation.confidence,
        seed=PROJECT.seed,
    shell:
        "python {input.code[0]} {params.task} --predictions {input.predictions}"
        " --groups {params.groups} --bootstrap {params.bootstrap}"
        " --confidence {params.confidence} --seed {params.seed} --table {output.table}"
        " --item {output.item} 2> {log}"
