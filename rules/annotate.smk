# Domains on the user's own proteins: snakemake annotate --config query=my.fasta

ANNOTATION = f"{RESULTS}/annotate/{{query}}"
# Tables of calls that are shown side by side, one per method; proteins in the order of the query.
CALLS = [f"{ANNOTATION}/profile_hmm.parquet"]

if PROJECT.query and not Path(PROJECT.query).is_file():
    raise WorkflowError(f"query: {PROJECT.query}: no such file")


rule annotate:
    """Domain table, GFF3 and page of the proteins in the setting 'query'."""
    input:
        query_page,


rule scan_query:
    """Profile HMMs of the training rows on every protein of the query, in constant memory."""
    input:
        query=lambda wildcards: PROJECT.query if wildcards.query == QUERY else [],
        profiles=f"{RESULTS}/baselines/profile_hmm/clustered/profiles.hmm",
        code=code("scan_query"),
    output:
        hits=f"{ANNOTATION}/profile_hmm.parquet",
        proteins=f"{ANNOTATION}/query.parquet",
        problems=f"{ANNOTATION}/problems.tsv",
        summary=f"{ANNOTATION}/query.json",
    log:
        f"{LOGS}/scan_query/{{query}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/scan_query/{{query}}.tsv"
    wildcard_constraints:
        query=re.escape(QUERY) if QUERY else "(?!)",
    conda:
        "../envs/hmmer.yaml"
    threads: need("annotate", "threads")
    resources:
        mem_mb=need("annotate", "mem_mb"),
        runtime=need("annotate", "runtime"),
    params:
        code=code_digest("scan_query"),
        evalue=PROJECT.annotate.evalue,
    shell:
        "python {input.code[0]} --query {input.query:q} --profiles {input.profiles}"
        " --evalue {params.evalue} --threads {threads} --hits {output.hits:q}"
        " --proteins {output.proteins:q} --problems {output.problems:q}"
        " --summary {output.summary:q} 2> {log:q}"


rule annotate_query:
    """What all methods call on the query, side by side."""
    input:
        calls=CALLS,
        proteins=f"{ANNOTATION}/query.parquet",
        summary=f"{ANNOTATION}/query.json",
        families=f"{RESULTS}/domains/families.tsv",
        template=ancient(templates("annotation")),
        code=code("annotate"),
    output:
        table=f"{ANNOTATION}/domains.tsv",
        gff3=f"{ANNOTATION}/domains.gff3",
        page=f"{ANNOTATION}/annotation.html",
    log:
        f"{LOGS}/annotate_query/{{query}}.log",
    wildcard_constraints:
        query=re.escape(QUERY) if QUERY else "(?!)",
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=need("light", "mem_mb"),
        runtime=need("light", "runtime"),
    params:
        code=code_digest("annotate"),
        template=digest(map(Path, templates("annotation"))),
        shown=PROJECT.annotate.shown,
        title=lambda wildcards: f"Domains of {wildcards.query}",
        command=f"snakemake annotate --config query={PROJECT.query}",
    shell:
        "python {input.code[0]} --proteins {input.proteins:q} --summary {input.summary:q}"
        " --calls {input.calls:q} --families {input.families} --shown {params.shown}"
        " --title {params.title:q} --command {params.command:q} --template {input.template[0]}"
        " --table {output.table:q} --gff3 {output.gff3:q} --page {output.page:q} 2> {log:q}"
