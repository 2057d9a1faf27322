# One evaluator for every method: predictions in, tables out.

# Networks of table 3: on the clustered split, trained on all families, with a token per residue.
COMPARED = [
    name
    for name, run in FINETUNE.items()
    if not PROJECT.only_compared(name) and not run.new_families
]
EMBEDDED = PROJECT.embedded()
COMBINATIONS = PROJECT.combinations
# Combinations that are networks of their own.
CASCADES = [name for name, combination in COMBINATIONS.items() if combination.rule == "cascade"]


JUDGED = [
    *COMPARED,
    *(name for name, (run, _) in EMBEDDED.items() if run in COMPARED),
    *COMBINATIONS,
    *BASELINES,
]

ITEMS.append(f"{RESULTS}/tables/table_3.json")

# Their scores are probabilities, which calibration can judge.
PROBABILISTIC = [*COMPARED, *COMBINATIONS]

if PROBABILISTIC:
    ITEMS.extend(
        f"{RESULTS}/figures/{name}.json" for name in ("family_errors", "reliability", "confusions")
    )

# The network whose answers are scanned with mutants: chained motifs where there are any.
SCANNED = sorted(COMPARED, key=lambda name: FINETUNE[name].head != "chain")[:1]

if SCANNED:
    ITEMS.append(f"{RESULTS}/figures/mutation_scan.json")

# Runs that kept families out of training.
NEWCOMERS = [name for name, run in FINETUNE.items() if run.new_families]

if NEWCOMERS:
    ITEMS.append(f"{RESULTS}/figures/new_families.json")


rule combine:
    """Several methods as one; fitted weights come from the development part."""
    input:
        scores=lambda wildcards: [
            f"{folder_of(member)}/scores.parquet"
            for member in PROJECT.members(wildcards.combination)
        ],
        domains=f"{RESULTS}/domains/domains.parquet",
        split=f"{RESULTS}/splits/clustered/split.parquet",
        code=code("combine"),
    output:
        predictions=f"{RESULTS}/combinations/{{combination}}/predictions.parquet",
        scores=f"{RESULTS}/combinations/{{combination}}/scores.parquet",
        about=f"{RESULTS}/combinations/{{combination}}/combination.json",
    log:
        f"{LOGS}/combine/{{combination}}.log",
    wildcard_constraints:
        combination=names(set(COMBINATIONS) - set(CASCADES)),
    conda:
        "../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=need("light", "mem_mb"),
        runtime=need("light", "runtime"),
    params:
        code=code_digest("combine"),
        members=lambda wildcards: PROJECT.members(wildcards.combination),
        units=lambda wildcards: [
            unit_of(member) for member in PROJECT.members(wildcards.combination)
        ],
        rule=lambda wildcards: COMBINATIONS[wildcards.combination].rule,
        candidates=PROJECT.evaluation.candidates,
        output=lambda wildcards, output: str(Path(output.predictions).parent),
    shell:
        "python {input.code[0]} --domains {input.domains} --split {input.split}"
        " --members {params.members} --scores {input.scores} --units {params.units}"
        " --rule {params.rule} --run {wildcards.combination} --candidates {params.candidates}"
        " --output {params.output} 2> {log}"


rule cascade:
    """Two networks as one: the first names a few families, the second chooses among these."""
    input:
        weights=lambda wildcards: expand(
            f"{RESULTS}/finetune/{{run}}/weights.safetensors",
            run=PROJECT.members(wildcards.cascade),
        ),
        domains=f"{RESULTS}/domains/domains.parquet",
        split=f"{RESULTS}/splits/clustered/split.parquet",
        code=code("cascade"),
    output:
        weights=f"{RESULTS}/combinations/{{cascade}}/weights.safetensors",
        predictions=f"{RESULTS}/combinations/{{cascade}}/predictions.parquet",
        scores=f"{RESULTS}/combinations/{{cascade}}/scores.parquet",
        about=f"{RESULTS}/combinations/{{cascade}}/combination.json",
    log:
        f"{LOGS}/cascade/{{cascade}}.log",
    wildcard_constraints:
        cascade=names(CASCADES),
    conda:
        "../envs/torch.yaml"
    threads: need("finetune", "threads")
    resources:
        mem_mb=need("finetune", "mem_mb"),
        runtime=need("finetune", "runtime"),
    params:
        code=code_digest("cascade"),
        members=lambda wildcards: PROJECT.members(wildcards.cascade),
        shortlist=lambda wildcards: (
            f"--shortlist {COMBINATIONS[wildcards.cascade].shortlist}"
            if COMBINATIONS[wildcards.cascade].shortlist
            else ""
        ),
        candidates=PROJECT.evaluation.candidates,
        output=lambda wildcards, output: str(Path(output.weights).parent),
    shell:
        "python {input.code[0]} --domains {input.domains} --split {input.split}"
        " --members {params.members} --weights {input.weights} {params.shortlist}"
        " --run {wildcards.cascade} --candidates {params.candidates} --threads {threads}"
        " --output {params.output} 2> {log}"


rule embed:
    """Neighbours in a network's embedding space, and families that it was not trained on."""
    input:
        weights=f"{RESULTS}/finetune/{{run}}/weights.safetensors",
        domains=f"{RESULTS}/domains/domains.parquet",
        split=lambda wildcards: f"{RESULTS}/splits/{PROJECT.runs[wildcards.run].split}/split.parquet",
        code=code("embed"),
    output:
        [
            f"{RESULTS}/embedding/{{run}}/{kind}/{file}.parquet"
            for kind in ("per_family", "per_instance")
            for file in ("predictions", "scores")
        ],
        embeddings=f"{RESULTS}/embedding/{{run}}/embeddings.npy",
        new_families=f"{RESULTS}/embedding/{{run}}/new_families.tsv",
    log:
        f"{LOGS}/embed/{{run}}.log",
    wildcard_constraints:
        run=names(FINETUNE),
    conda:
        "../envs/torch.yaml"
    threads: need("finetune", "threads")
    resources:
        mem_mb=need("finetune", "mem_mb"),
        runtime=need("finetune", "runtime"),
    params:
        code=code_digest("embed"),
        candidates=PROJECT.evaluation.candidates,
        output=lambda wildcards, output: str(Path(output.embeddings).parent),
    shell:
        "python {input.code[0]} --weights {input.weights} --run {wildcards.run}"
        " --domains {input.domains} --split {input.split} --candidates {params.candidates}"
        " --threads {threads} --output {params.output} 2> {log}"


rule table_3:
    """Family accuracy of every method with intervals, beside the published numbers."""
    input:
        predictions=[f"{folder_of(method)}/predictions.parquet" for method in JUDGED],
        split=f"{RESULTS}/splits/clustered/split.parquet",
        families=f"{RESULTS}/domains/families.tsv",
        random=expand(
            f"{RESULTS}/baselines/{{method}}/random/predictions.parquet", method=BASELINES
        ),
        random_split=f"{RESULTS}/splits/random/split.parquet",
        code=code("table_3"),
    output:
        table=report(
            f"{RESULTS}/tables/table_3.tsv",
            caption="../workflow/report/table_3.rst",
            category="Tables",
            labels={"item": "table 3: family accuracy"},
        ),
        comparisons=f"{RESULTS}/tables/table_3_comparisons.json",
        item=f"{RESULTS}/tables/table_3.json",
    log:
        f"{LOGS}/table_3.log",
    conda:
        "../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=need("light", "mem_mb"),
        runtime=need("light", "runtime"),
    params:
        code=code_digest("table_3"),
        about=json.dumps([about(method) for method in JUDGED]),
        bootstrap=PROJECT.evaluation.bootstrap,
        confidence=PROJECT.evaluation.confidence,
        seed=PROJECT.seed,
    shell:
        "python {input.code[0]} --split {input.split} --families {input.families}"
        " --predictions {input.predictions} --about {params.about:q}"
        " --random-split {input.random_split} --random {input.random}"
        " --bootstrap {params.bootstrap} --confidence {params.confidence} --seed {params.seed}"
        " --table {output.table} --comparisons {output.comparisons} --item {output.item} 2> {log}"


rule family_analysis:
    """Errors by identity and by family size, calibration, confusions within clans."""
    input:
        predictions=[f"{folder_of(method)}/predictions.parquet" for method in JUDGED],
        scores=[f"{folder_of(method)}/scores.parquet" for method in PROBABILISTIC],
        split=f"{RESULTS}/splits/clustered/split.parquet",
        families=f"{RESULTS}/domains/families.tsv",
        code=code("family_analysis"),
    output:
        errors=report(
            f"{RESULTS}/figures/family_errors.svg",
            caption="../workflow/report/family_analysis.rst",
            category="Figures",
            labels={"item": "errors by similarity and by size"},
        ),
        calibration=report(
            f"{RESULTS}/figures/reliability.svg",
            caption="../workflow/report/family_analysis.rst",
            category="Figures",
            labels={"item": "calibration of family probabilities"},
        ),
        numbers=expand(
            f"{RESULTS}/figures/{{name}}.{{kind}}",
            name=["family_errors", "reliability", "confusions"],
            kind=["tsv", "json"],
        ),
    log:
        f"{LOGS}/family_analysis.log",
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=need("light", "mem_mb"),
        runtime=need("light", "runtime"),
    params:
        code=code_digest("family_analysis"),
        about=json.dumps([about(method) for method in JUDGED]),
        names=PROBABILISTIC,
        bootstrap=PROJECT.evaluation.bootstrap,
        confidence=PROJECT.evaluation.confidence,
        seed=PROJECT.seed,
        output=lambda wildcards, output: str(Path(output.errors).parent),
    shell:
        "python {input.code[0]} --split {input.split} --families {input.families}"
        " --predictions {input.predictions} --about {params.about:q} --scores {input.scores}"
        " --names {params.names} --bootstrap {params.bootstrap}"
        " --confidence {params.confidence} --seed {params.seed} --output {params.output} 2> {log}"


rule mutation_scan:
    """All single substitutions of a test domain: what changes a network's answer."""
    input:
        weights=[f"{RESULTS}/finetune/{run}/weights.safetensors" for run in SCANNED],
        predictions=[f"{RESULTS}/finetune/{run}/predictions.parquet" for run in SCANNED],
        domains=f"{RESULTS}/domains/domains.parquet",
        split=f"{RESULTS}/splits/clustered/split.parquet",
        seed=f"{RESULTS}/sources/Pfam-A.seed.gz",
        code=code("mutation_scan"),
    output:
        figure=report(
            f"{RESULTS}/figures/mutation_scan.svg",
            caption="../workflow/report/mutation_scan.rst",
            category="Figures",
            labels={"item": "mutation scan"},
        ),
        table=f"{RESULTS}/figures/mutation_scan.tsv",
        item=f"{RESULTS}/figures/mutation_scan.json",
    log:
        f"{LOGS}/mutation_scan.log",
    benchmark:
        f"{RESULTS}/benchmarks/mutation_scan.tsv"
    conda:
        "../envs/analysis.yaml"
    threads: 1
    resources:
        mem_mb=need("finetune", "mem_mb"),
        runtime=need("finetune", "runtime"),
    params:
        code=code_digest("mutation_scan"),
        run=SCANNED,
        min_length=PROJECT.domains.min_length,
        output=lambda wildcards, output: str(Path(output.figure).parent),
    shell:
        "python {input.code[0]} --run {params.run} --weights {input.weights}"
        " --predictions {input.predictions} --domains {input.domains} --split {input.split}"
        " --seed-alignments {input.seed} --min-length {params.min_length}"
        " --threads {threads} --output {params.output} 2> {log}"


rule new_families:
    """Families that a network was not trained on, recognised from 1, 2, 5 and all sequences."""
    input:
        found=[f"{RESULTS}/embedding/{run}/new_families.tsv" for run in NEWCOMERS],
        code=code("new_families"),
    output:
        numbers=f"{RESULTS}/figures/new_families.tsv",
        item=f"{RESULTS}/figures/new_families.json",
    log:
        f"{LOGS}/new_families.log",
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=need("light", "mem_mb"),
        runtime=need("light", "runtime"),
    params:
        code=code_digest("new_families"),
        runs=NEWCOMERS,
    shell:
        "python {input.code[0]} --runs {params.runs} --found {input.found}"
        " --numbers {output.numbers} --item {output.item} 2> {log}"
