# What methods say about function: calls of GO terms, and one evaluator for all of them.

# Calls of every method, in the order of the report's legend; a rule that makes some adds its file.
GO_CALLS = []

if GO:
    GO_CALLS += [
        f"{RESULTS}/baselines/go/{name}/calls.parquet"
        for name in ("frequencies", "identity", "vote", *(["domains"] if GO.domains else []))
    ]
    ITEMS += [f"{RESULTS}/tables/table_6.json", f"{RESULTS}/tables/go_baselines.json"]

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
            " --vote-calls {output.vote} 2> {log}"

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
            ),
            identity=f"{RESULTS}/tables/go_identity.tsv",
            curves=f"{RESULTS}/tables/go_curves.tsv",
            figure=report(
                f"{RESULTS}/tables/go_baselines.svg",
                caption="../workflow/report/go_baselines.rst",
                category="Figures",
            ),
            item=f"{RESULTS}/tables/go_baselines.json",
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
            " --figure {output.figure} --item {output.item} 2> {log}"
