# Where on a protein each family lies: the data set, taggers, the profile HMM on the same proteins.

LOCALISATION = f"{RESULTS}/localisation"
ITEMS.extend(f"{RESULTS}/tables/{name}.json" for name in ("table_2", "localisation"))
# Networks that table 2 reads: those that know nothing of the clustered split's held-out domains and
# have a token per residue.
READ = [name for name in FINETUNE if not PROJECT.only_compared(name)]


rule localisation_data:
    """Proteins cut between domains, their domains, shuffled negatives; a split of proteins in which
    no held-out domain has a homologue on a training protein, with its certificate."""
    input:
        unpack(split_alignments),
        domains=f"{RESULTS}/domains/domains.parquet",
        proteins=f"{RESULTS}/domains/proteins.parquet",
        split=f"{RESULTS}/splits/clustered/split.parquet",
        code=code("localisation_data"),
    output:
        table=f"{LOCALISATION}/sequences.parquet",
        places=f"{LOCALISATION}/domains.parquet",
        leakage=f"{LOCALISATION}/leakage.json",
        summary=f"{LOCALISATION}/summary.json",
    log:
        f"{LOGS}/localisation_data.log",
    benchmark:
        f"{RESULTS}/benchmarks/localisation_data.tsv"
    # The longest way through the workflow goes first.
    priority: 2
    conda:
        "../envs/mmseqs2.yaml"
    threads: need("search", "threads")
    resources:
        mem_mb=need("search", "mem_mb"),
        runtime=need("search", "runtime"),
    params:
        code=code_digest("localisation_data"),
        max_length=PROJECT.localisation.max_length,
        shuffled_share=PROJECT.localisation.shuffled_share,
        dev_share=PROJECT.splits.dev_share,
        test_share=PROJECT.splits.test_share,
        min_identity=PROJECT.splits.min_identity,
        min_coverage=PROJECT.splits.min_coverage,
        min_bits=PROJECT.splits.min_bits,
        prefilter=PROJECT.splits.certificate_prefilter,
        alignments=alignments_option,
        seed=PROJECT.seed,
    shell:
        "python {input.code[0]} --domains {input.domains} --proteins {input.proteins}"
        " --split {input.split} --max-length {params.max_length}"
        " --shuffled-share {params.shuffled_share} --dev-share {params.dev_share}"
        " --test-share {params.test_share} --min-identity {params.min_identity}"
        " --min-coverage {params.min_coverage} --min-bits {params.min_bits} --prefilter {params.prefilter} {params.alignments}"
        " --seed {params.seed} --threads {threads} --table {output.table}"
        " --places {output.places} --leakage {output.leakage} --summary {output.summary} 2> {log}"


rule tagger:
    """A residue tagger on the localisation data set, and its calls on held-out proteins."""
    input:
        unpack(finetune_start),
        config=f"{RESULTS}/runs/{{run}}/config.json",
        sequences=f"{RESULTS}/localisation/sequences.parquet",
        domains=f"{RESULTS}/localisation/domains.parquet",
        certificate=f"{RESULTS}/localisation/leakage.json",
        code=code("tagger"),
    output:
        weights=f"{RESULTS}/tagger/{{run}}/weights.safetensors",
        calls=f"{RESULTS}/tagger/{{run}}/calls.parquet",
        metrics=f"{RESULTS}/tagger/{{run}}/metrics.tsv",
        summary=f"{RESULTS}/tagger/{{run}}/summary.json",
    log:
        f"{LOGS}/tagger/{{run}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/tagger/{{run}}.tsv"
    wildcard_constraints:
        run=names(TAGGERS),
    # The longest way through the workflow goes first.
    priority: 2
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
        code=code_digest("tagger"),
        launch=launcher("finetune"),
        start=lambda wildcards, input: " ".join(
            f"--{option} {input[key]}"
            for key, option in (
                ("start", "start"),
                ("weights", "weights"),
                ("alignments", "seed-alignments"),
                ("all_domains", "all-domains"),
            )
            if key in input.keys()
        ),
        min_length=PROJECT.domains.min_length,
        state=lambda wildcards: f"{RESULTS}/state/tagger/{wildcards.run}",
        output=lambda wildcards, output: str(Path(output.weights).parent),
    shell:
        "{params.launch} {input.code[0]} --config {input.config} --run {wildcards.run}"
        " {params.start} --min-length {params.min_length} --sequences {input.sequences}"
        " --domains {input.domains} --state {params.state} --output {params.output} --threads {threads} 2> {log}"


rule profile_locator:
    """Profiles of the training proteins' domains, searched against held-out proteins."""
    input:
        seed=f"{RESULTS}/sources/Pfam-A.seed.gz",
        domains=f"{RESULTS}/domains/domains.parquet",
        families=f"{RESULTS}/domains/families.tsv",
        sequences=f"{RESULTS}/localisation/sequences.parquet",
        certificate=f"{RESULTS}/localisation/leakage.json",
        code=code("profile_locator"),
    output:
        f"{RESULTS}/baselines/profile_locator/calls.parquet",
    log:
        f"{LOGS}/profile_locator.log",
    benchmark:
        f"{RESULTS}/benchmarks/profile_locator.tsv"
    conda:
        "../envs/hmmer.yaml"
    threads: need("profiles", "threads")
    resources:
        mem_mb=need("profiles", "mem_mb"),
        runtime=need("profiles", "runtime"),
    params:
        code=code_digest("profile_locator"),
        min_length=PROJECT.domains.min_length,
        seed=PROJECT.seed,
    shell:
        "python {input.code[0]} --seed-alignments {input.seed} --min-length {params.min_length}"
        " --domains {input.domains} --families {input.families} --sequences {input.sequences}"
        " --seed {params.seed} --threads {threads} --calls {output} 2> {log}"


rule localisation:
    """Taggers and profile HMM on the same proteins: domains, residues, boundaries, false calls."""
    input:
        taggers=expand(f"{RESULTS}/tagger/{{run}}/calls.parquet", run=TAGGERS),
        profiles=f"{RESULTS}/baselines/profile_locator/calls.parquet",
        sequences=f"{RESULTS}/localisation/sequences.parquet",
        domains=f"{RESULTS}/localisation/domains.parquet",
        families=f"{RESULTS}/domains/families.tsv",
        # All domains known on the proteins, drawn into the seed or not, where the sources bring them.
        regions=[path for path in SOURCE_FILES if path.endswith("Pfam-A.regions.tsv.gz")],
        code=code("localisation"),
    output:
        table=report(
            f"{RESULTS}/tables/localisation.tsv",
            caption="../workflow/report/localisation.rst",
            category="Tables",
            labels={"item": "domains on held-out proteins"},
        ),
        figure=f"{RESULTS}/tables/localisation.svg",
        item=f"{RESULTS}/tables/localisation.json",
    log:
        f"{LOGS}/localisation.log",
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=need("light", "mem_mb"),
        runtime=need("light", "runtime"),
    params:
        code=code_digest("localisation"),
        bootstrap=PROJECT.evaluation.bootstrap,
        confidence=PROJECT.evaluation.confidence,
        runs=list(TAGGERS),
        rate=PROJECT.evaluation.false_discovery_rate,
        regions=lambda wildcards, input: f"--regions {input.regions}" if input.regions else "",
        seed=PROJECT.seed,
    shell:
        "python {input.code[0]} --taggers {input.taggers} --runs {params.runs} --profiles {input.profiles}"
        " --sequences {input.sequences} --domains {input.domains} --families {input.families}"
        " --bootstrap {params.bootstrap} --confidence {params.confidence}"
        " --false-discovery-rate {params.rate} {params.regions} --seed {params.seed} --table {output.table}"
        " --figure {output.figure} --item {output.item} 2> {log}"


rule table_2:
    """Domains located by reading classifiers: attention, gradient, residue probabilities."""
    input:
        weights=expand(f"{RESULTS}/finetune/{{run}}/weights.safetensors", run=READ),
        domains=f"{RESULTS}/domains/domains.parquet",
        split=f"{RESULTS}/splits/clustered/split.parquet",
        proteins=f"{RESULTS}/domains/proteins.parquet",
        code=code("table_2"),
    output:
        table=report(
            f"{RESULTS}/tables/table_2.tsv",
            caption="../workflow/report/table_2.rst",
            category="Tables",
            labels={"item": "table 2: domains by reading a classifier"},
        ),
        item=f"{RESULTS}/tables/table_2.json",
    log:
        f"{LOGS}/table_2.log",
    benchmark:
        f"{RESULTS}/benchmarks/table_2.tsv"
    conda:
        "../envs/torch.yaml"
    threads: 1
    resources:
        mem_mb=need("finetune", "mem_mb"),
        runtime=need("finetune", "runtime"),
    params:
        code=code_digest("table_2"),
        runs=READ,
        bootstrap=PROJECT.evaluation.bootstrap,
        confidence=PROJECT.evaluation.confidence,
        seed=PROJECT.seed,
    shell:
        "python {input.code[0]} --runs {params.runs} --weights {input.weights}"
        " --domains {input.domains} --split {input.split} --proteins {input.proteins}"
        " --bootstrap {params.bootstrap} --confidence {params.confidence} --seed {params.seed}"
        " --threads {threads} --table {output.table} --item {output.item} 2> {log}"
