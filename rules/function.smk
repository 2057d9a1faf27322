# What methods say about function: calls of GO terms, and one evaluator for all of them.

# Calls of every method, in the order of the report's legend; a rule that makes some adds its file.
GO_CALLS = []
# Networks that call terms. The first one also lends its embeddings and is combined with neighbours.
TERMS = PROJECT.runs_of("terms") if GO else {}
NETWORK_CALLS = expand(f"{RESULTS}/terms/{{run}}/calls.parquet", run=TERMS)
LEADING = next(iter(TERMS), None)

# Methods that the learned ranking reads: each once, so of the networks the first one.
RANKED = []

if GO:
    GO_CALLS += [
        f"{RESULTS}/baselines/go/{name}/calls.parquet"
        for name in ("frequencies", "identity", "vote", *(["domains"] if GO.domains else []))
    ]
    if TERMS:
        GO_CALLS += [
            *NETWORK_CALLS,
            f"{RESULTS}/baselines/go/nearest/calls.parquet",
            f"{RESULTS}/combinations/go/calls.parquet",
        ]
    if GO.ranking:
        RANKED += [path for path in GO_CALLS if "/combinations/" not in path]
        RANKED = [path for path in RANKED if path not in NETWORK_CALLS[1:]]
        RANKED += [
            f"{RESULTS}/baselines/go/{name}/calls.parquet"
            for name in ("nearest_vote", "close_vote")
        ]
        GO_CALLS.append(f"{RESULTS}/combinations/go_ranking/calls.parquet")
    GO_ITEMS = [
        f"{RESULTS}/tables/{name}.json"
        for name in ("table_6", "go_baselines", "go_identity", *(["table_7"] if TERMS else []))
    ]
    ITEMS += GO_ITEMS

    # By the folder of the calls; those of combinations are called after the ontology.
    SUBMITTED = {
        {"go": "combination", "go_ranking": "ranking"}.get(name, name): path
        for name, path in zip((Path(path).parent.name for path in GO_CALLS), GO_CALLS)
    }

    rule go:
        """Everything about Gene Ontology terms."""
        input:
            GO_ITEMS,

    rule submissions:
        """What every method says of the test proteins, as files that CAFA takes."""
        input:
            expand(f"{RESULTS}/submissions/{{name}}.txt", name=SUBMITTED),

    rule go_submission:
        """A method's calls on the test proteins in CAFA's format."""
        input:
            calls=lambda wildcards: SUBMITTED[wildcards.name],
            annotations=f"{RESULTS}/tasks/go/annotations.parquet",
            code=code("go_submission"),
        output:
            submission=f"{RESULTS}/submissions/{{name}}.txt",
        log:
            f"{LOGS}/go_submission/{{name}}.log",
        wildcard_constraints:
            name=names(SUBMITTED),
        conda:
            "../envs/tables.yaml"
        threads: 1
        resources:
            mem_mb=need("light", "mem_mb"),
            runtime=need("light", "runtime"),
        params:
            code=code_digest("go_submission"),
            author=PROJECT.project,
        shell:
            "python {input.code[0]} --calls {input.calls} --annotations {input.annotations}"
            " --author {params.author} --submission {output.submission} 2> {log}"

    rule table_6:
        """Annotated proteins of each ontology, and sequences with several annotations."""
        input:
            annotations=f"{RESULTS}/tasks/go/annotations.parquet",
            proteins=f"{RESULTS}/tasks/go/proteins.parquet",
            summary=f"{RESULTS}/tasks/go/summary.json",
            code=code("table_6"),
        output:
            table=report(
                f"{RESULTS}/tables/table_6.tsv",
                caption="../workflow/report/table_6.rst",
                category="Tables",
                labels={"item": "table 6: annotated proteins"},
            ),
            item=f"{RESULTS}/tables/table_6.json",
        log:
            f"{LOGS}/table_6.log",
        conda:
            "../envs/tables.yaml"
        threads: 1
        resources:
            mem_mb=need("light", "mem_mb"),
            runtime=need("light", "runtime"),
        params:
            code=code_digest("table_6"),
        shell:
            "python {input.code[0]} --annotations {input.annotations} --proteins {input.proteins}"
            " --summary {input.summary} --table {output.table} --item {output.item} 2> {log}"

    rule go_frequencies:
        """Every protein gets the terms at their training frequency."""
        input:
            terms=f"{RESULTS}/tasks/go/terms.parquet",
            annotations=f"{RESULTS}/tasks/go/annotations.parquet",
            proteins=f"{RESULTS}/tasks/go/proteins.parquet",
            code=code("go_frequencies"),
        output:
            f"{RESULTS}/baselines/go/frequencies/calls.parquet",
        log:
            f"{LOGS}/go_frequencies.log",
        conda:
            "../envs/tables.yaml"
        threads: 1
        resources:
            mem_mb=need("light", "mem_mb"),
            runtime=need("light", "runtime"),
        params:
            code=code_digest("go_frequencies"),
        shell:
            "python {input.code[0]} --terms {input.terms} --annotations {input.annotations}"
            " --proteins {input.proteins} --calls {output} 2> {log}"

    rule go_neighbours:
        """Terms of similar training proteins: by best identity, and by a vote of bit scores."""
        input:
            terms=f"{RESULTS}/tasks/go/terms.parquet",
            annotations=f"{RESULTS}/tasks/go/annotations.parquet",
            proteins=f"{RESULTS}/tasks/go/proteins.parquet",
            code=code("go_neighbours"),
        output:
            neighbours=f"{RESULTS}/baselines/go/neighbours.parquet",
            identity=f"{RESULTS}/baselines/go/identity/calls.parquet",
            vote=f"{RESULTS}/baselines/go/vote/calls.parquet",
            nearest=f"{RESULTS}/baselines/go/nearest_vote/calls.parquet",
            close=f"{RESULTS}/baselines/go/close_vote/calls.parquet",
        log:
            f"{LOGS}/go_neighbours.log",
        benchmark:
            f"{RESULTS}/benchmarks/go_neighbours.tsv"
        conda:
            "../envs/mmseqs2.yaml"
        threads: need("search", "threads")
        resources:
            mem_mb=need("search", "mem_mb"),
            runtime=need("search", "runtime"),
        params:
            code=code_digest("go_neighbours"),
            sensitivity=GO.sensitivity,
        shell:
            "python {input.code[0]} --terms {input.terms} --annotations {input.annotations}"
            " --proteins {input.proteins} --sensitivity {params.sensitivity} --threads {threads}"
            " --neighbours {output.neighbours} --identity-calls {output.identity}"
            " --vote-calls {output.vote} --nearest-calls {output.nearest}"
            " --close-calls {output.close} 2> {log}"

    rule go_domains:
        """Terms of the Pfam families found in a protein."""
        input:
            terms=f"{RESULTS}/tasks/go/terms.parquet",
            annotations=f"{RESULTS}/tasks/go/annotations.parquet",
            proteins=f"{RESULTS}/tasks/go/proteins.parquet",
            mapping=f"{RESULTS}/sources/go/pfam2go",
            profiles=f"{RESULTS}/sources/Pfam-A.hmm.gz",
            code=code("go_domains"),
        output:
            f"{RESULTS}/baselines/go/domains/calls.parquet",
        log:
            f"{LOGS}/go_domains.log",
        benchmark:
            f"{RESULTS}/benchmarks/go_domains.tsv"
        conda:
            "../envs/hmmer.yaml"
        threads: need("profiles", "threads")
        resources:
            mem_mb=need("profiles", "mem_mb"),
            runtime=need("profiles", "runtime"),
        params:
            code=code_digest("go_domains"),
        shell:
            "python {input.code[0]} --terms {input.terms} --annotations {input.annotations}"
            " --proteins {input.proteins} --mapping {input.mapping} --profiles {input.profiles}"
            " --threads {threads} --calls {output} 2> {log}"

    rule go_baselines:
        """Fmax, Smin and curves of every method that calls GO terms."""
        input:
            terms=f"{RESULTS}/tasks/go/terms.parquet",
            annotations=f"{RESULTS}/tasks/go/annotations.parquet",
            neighbours=f"{RESULTS}/baselines/go/neighbours.parquet",
            summary=f"{RESULTS}/tasks/go/summary.json",
            calls=GO_CALLS,
            code=code("go_baselines"),
        output:
            table=report(
                f"{RESULTS}/tables/go_baselines.tsv",
                caption="../workflow/report/go_baselines.rst",
                category="Tables",
                labels={"item": "Gene Ontology: Fmax and Smin"},
            ),
            identity=f"{RESULTS}/tables/go_identity.tsv",
            curves=f"{RESULTS}/tables/go_curves.tsv",
            figure=report(
                f"{RESULTS}/tables/go_baselines.svg",
                caption="../workflow/report/go_baselines.rst",
                category="Figures",
                labels={"item": "Gene Ontology: curves"},
            ),
            item=f"{RESULTS}/tables/go_baselines.json",
            identity_figure=report(
                f"{RESULTS}/tables/go_identity.svg",
                caption="../workflow/report/go_baselines.rst",
                category="Figures",
                labels={"item": "Gene Ontology: by identity"},
            ),
            identity_item=f"{RESULTS}/tables/go_identity.json",
        log:
            f"{LOGS}/go_baselines.log",
        conda:
            "../envs/report.yaml"
        threads: 1
        resources:
            mem_mb=need("light", "mem_mb"),
            runtime=need("light", "runtime"),
        params:
            code=code_digest("go_baselines"),
            bootstrap=PROJECT.evaluation.bootstrap,
            confidence=PROJECT.evaluation.confidence,
            seed=PROJECT.seed,
        shell:
            "python {input.code[0]} --terms {input.terms} --annotations {input.annotations}"
            " --neighbours {input.neighbours} --summary {input.summary} --calls {input.calls}"
            " --bootstrap {params.bootstrap} --confidence {params.confidence} --seed {params.seed}"
            " --table {output.table} --identity {output.identity} --curves {output.curves}"
            " --figure {output.figure} --item {output.item}"
            " --identity-figure {output.identity_figure} --identity-item {output.identity_item}"
            " 2> {log}"

    rule terms:
        """A network that calls terms."""
        input:
            unpack(finetune_start),
            config=f"{RESULTS}/runs/{{run}}/config.json",
            terms=f"{RESULTS}/tasks/go/terms.parquet",
            annotations=f"{RESULTS}/tasks/go/annotations.parquet",
            proteins=f"{RESULTS}/tasks/go/proteins.parquet",
            code=code("terms"),
        output:
            weights=f"{RESULTS}/terms/{{run}}/weights.safetensors",
            calls=f"{RESULTS}/terms/{{run}}/calls.parquet",
            metrics=f"{RESULTS}/terms/{{run}}/metrics.tsv",
            summary=f"{RESULTS}/terms/{{run}}/summary.json",
        log:
            f"{LOGS}/terms/{{run}}.log",
        benchmark:
            f"{RESULTS}/benchmarks/terms/{{run}}.tsv"
        wildcard_constraints:
            run=names(TERMS),
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
            code=code_digest("terms"),
            launch=launcher("finetune"),
            start=lambda wildcards, input: " ".join(
                f"--{key} {input[key]}" for key in ("start", "weights") if key in input.keys()
            ),
            state=lambda wildcards: f"{RESULTS}/state/terms/{wildcards.run}",
            output=lambda wildcards, output: str(Path(output.weights).parent),
        shell:
            "{params.launch} {input.code[0]} --config {input.config} --run {wildcards.run}"
            " {params.start} --terms {input.terms} --annotations {input.annotations}"
            " --proteins {input.proteins} --state {params.state} --output {params.output}"
            " --threads {threads} 2> {log}"

    rule go_nearest:
        """Terms of the training proteins that are nearest in the first network's embedding space."""
        input:
            weights=f"{RESULTS}/terms/{LEADING}/weights.safetensors",
            terms=f"{RESULTS}/tasks/go/terms.parquet",
            annotations=f"{RESULTS}/tasks/go/annotations.parquet",
            proteins=f"{RESULTS}/tasks/go/proteins.parquet",
            code=code("go_nearest"),
        output:
            f"{RESULTS}/baselines/go/nearest/calls.parquet",
        log:
            f"{LOGS}/go_nearest.log",
        conda:
            "../envs/torch.yaml"
        threads: need("finetune", "threads")
        resources:
            mem_mb=need("finetune", "mem_mb"),
            runtime=need("finetune", "runtime"),
        params:
            code=code_digest("go_nearest"),
            run=LEADING,
        shell:
            "python {input.code[0]} --weights {input.weights} --run {params.run}"
            " --terms {input.terms} --annotations {input.annotations} --proteins {input.proteins}"
            " --threads {threads} --calls {output} 2> {log}"

    rule go_combination:
        """The first network and the vote of neighbours, weighted as the development part wants."""
        input:
            terms=f"{RESULTS}/tasks/go/terms.parquet",
            annotations=f"{RESULTS}/tasks/go/annotations.parquet",
            members=[*NETWORK_CALLS[:1], f"{RESULTS}/baselines/go/vote/calls.parquet"],
            code=code("go_combination"),
        output:
            calls=f"{RESULTS}/combinations/go/calls.parquet",
            about=f"{RESULTS}/combinations/go/combination.json",
        log:
            f"{LOGS}/go_combination.log",
        conda:
            "../envs/tables.yaml"
        threads: 1
        resources:
            mem_mb=need("light", "mem_mb"),
            runtime=need("light", "runtime"),
        params:
            code=code_digest("go_combination"),
            run=LEADING,
        shell:
            "python {input.code[0]} --terms {input.terms} --annotations {input.annotations}"
            " --members {input.members} --run {params.run} --calls {output.calls}"
            " --about {output.about} 2> {log}"

    rule go_ranking:
        """All methods together, by trees that learn on the development part whom to trust."""
        input:
            terms=f"{RESULTS}/tasks/go/terms.parquet",
            annotations=f"{RESULTS}/tasks/go/annotations.parquet",
            members=RANKED,
            code=code("go_ranking"),
        output:
            calls=f"{RESULTS}/combinations/go_ranking/calls.parquet",
            about=f"{RESULTS}/combinations/go_ranking/combination.json",
        log:
            f"{LOGS}/go_ranking.log",
        benchmark:
            f"{RESULTS}/benchmarks/go_ranking.tsv"
        conda:
            "../envs/analysis.yaml"
        threads: need("analysis", "threads")
        resources:
            mem_mb=need("analysis", "mem_mb"),
            runtime=need("analysis", "runtime"),
        params:
            code=code_digest("go_ranking"),
            run="ranking",
            seed=PROJECT.seed,
        shell:
            "OMP_NUM_THREADS={threads} python {input.code[0]} --terms {input.terms}"
            " --annotations {input.annotations} --members {input.members} --run {params.run}"
            " --seed {params.seed} --calls {output.calls} --about {output.about} 2> {log}"

    rule table_7:
        """Ancestors of called terms that are called too, with and without the ontology inside."""
        input:
            terms=f"{RESULTS}/tasks/go/terms.parquet",
            annotations=f"{RESULTS}/tasks/go/annotations.parquet",
            calls=NETWORK_CALLS,
            numbers=f"{RESULTS}/tables/go_baselines.tsv",
            code=code("table_7"),
        output:
            table=report(
                f"{RESULTS}/tables/table_7.tsv",
                caption="../workflow/report/table_7.rst",
                category="Tables",
                labels={"item": "table 7: ancestors of terms"},
            ),
            item=f"{RESULTS}/tables/table_7.json",
        log:
            f"{LOGS}/table_7.log",
        conda:
            "../envs/tables.yaml"
        threads: 1
        resources:
            mem_mb=need("light", "mem_mb"),
            runtime=need("light", "runtime"),
        params:
            code=code_digest("table_7"),
        shell:
            "python {input.code[0]} --terms {input.terms} --annotations {input.annotations}"
            " --calls {input.calls} --numbers {input.numbers} --table {output.table}"
            " --item {output.item} 2> {log}"
