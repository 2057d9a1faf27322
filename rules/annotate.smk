# Domains on the user's own proteins: snakemake annotate --config query=my.fasta

ANNOTATION = f"{RESULTS}/annotate/{{query}}"
# A saved model, or this project's own, which rule model makes.
MODEL = PROJECT.model or f"{RESULTS}/model"
TAGGER = next(iter(TAGGERS), None)
# Terms that come with families are known where their calls on held-out proteins were made.
MAPPED = GO and GO.domains

try:
    MODEL_PARTS = (
        list(Model.read(MODEL, check=False).about["files"])
        if PROJECT.model
        else [
            "profiles",
            "families",
            *(["classifier"] if COMPARED else []),
            *(["tagger"] if TAGGER else []),
            *(["terms"] if GO else []),
            *(["term_network"] if LEADING else []),
            *(["family_terms"] if MAPPED else []),
        ]
    )
except InputError as error:
    raise WorkflowError(str(error))

MODEL_FILES = [f"{MODEL}/{name}" for name in (*map(FILES.get, MODEL_PARTS), ABOUT)]
# Tables of calls that are shown side by side, one per method; proteins in the order of the query.
CALLS = expand(
    f"{ANNOTATION}/{{method}}.parquet",
    method=[
        "profile_hmm",
        *(method for method in ("classifier", "tagger") if method in MODEL_PARTS),
    ],
    allow_missing=True,
)

if PROJECT.query and not Path(PROJECT.query).is_file():
    wrong = "no file but a folder" if Path(PROJECT.query).is_dir() else "no such file"
    raise WorkflowError(f"query: {PROJECT.query}: {wrong}")


rule annotate:
    """Domain table, GFF3 and page of the proteins in the setting 'query'."""
    input:
        query_page,


if not PROJECT.model:

    rule model:
        """The project's model as one folder: weights, labels, calibration, model card."""
        input:
            unpack(model_files),
            code=code("model"),
        output:
            MODEL_FILES,
            card=f"{RESULTS}/model/README.md",
        log:
            f"{LOGS}/model.log",
        conda:
            "../envs/hmmer.yaml"
        threads: 1
        resources:
            mem_mb=need("light", "mem_mb"),
            runtime=need("light", "runtime"),
        params:
            code=code_digest("model"),
            options=model_options,
            output=lambda wildcards, output: str(Path(output.card).parent),
        shell:
            "python {input.code[0]} {params.options} --output {params.output} 2> {log}"


rule scan_query:
    """Profile HMMs of the training rows on every protein of the query, in constant memory."""
    input:
        query=lambda wildcards: PROJECT.query if wildcards.query == QUERY else [],
        profiles=f"{MODEL}/{FILES['profiles']}",
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


rule read_query:
    """Tagger, family network and GO network on every protein of the query, in constant memory."""
    input:
        query=lambda wildcards: PROJECT.query if wildcards.query == QUERY else [],
        model=MODEL_FILES,
        hits=f"{ANNOTATION}/profile_hmm.parquet",
        code=code("read_query"),
    output:
        tagger=f"{ANNOTATION}/tagger.parquet",
        classifier=f"{ANNOTATION}/classifier.parquet",
        terms=f"{ANNOTATION}/terms.parquet",
    log:
        f"{LOGS}/read_query/{{query}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/read_query/{{query}}.tsv"
    wildcard_constraints:
        query=re.escape(QUERY) if QUERY else "(?!)",
    conda:
        "../envs/torch.yaml"
    threads: need("annotate", "threads")
    resources:
        mem_mb=need("annotate", "mem_mb"),
        runtime=need("annotate", "runtime"),
    params:
        code=code_digest("read_query"),
        model=lambda wildcards, input: str(Path(input.model[-1]).parent),
        least=PROJECT.annotate.min_term_probability,
    shell:
        "python {input.code[0]} --query {input.query:q} --model {params.model:q}"
        " --hits {input.hits:q} --least-probability {params.least} --threads {threads}"
        " --tagger {output.tagger:q} --classifier {output.classifier:q} --terms {output.terms:q}"
        " 2> {log:q}"


rule annotate_query:
    """What all methods call on the query, side by side."""
    input:
        calls=CALLS,
        proteins=f"{ANNOTATION}/query.parquet",
        summary=f"{ANNOTATION}/query.json",
        terms=f"{ANNOTATION}/terms.parquet",
        model=MODEL_FILES,
        template=ancient(templates("annotation")),
        code=code("annotate"),
    output:
        table=f"{ANNOTATION}/domains.tsv",
        gff3=f"{ANNOTATION}/domains.gff3",
        page=f"{ANNOTATION}/annotation.html",
        terms=f"{ANNOTATION}/terms.tsv",
    log:
        f"{LOGS}/annotate_query/{{query}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/annotate_query/{{query}}.tsv"
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
        command=" ".join(
            [
                f"snakemake annotate --config query={PROJECT.query}",
                *([f"model={PROJECT.model}"] if PROJECT.model else []),
            ]
        ),
        model=lambda wildcards, input: str(Path(input.model[-1]).parent),
        least=PROJECT.annotate.min_term_probability,
    shell:
        "python {input.code[0]} --proteins {input.proteins:q} --summary {input.summary:q}"
        " --calls {input.calls:q} --terms {input.terms:q} --model {params.model:q}"
        " --least-probability {params.least} --shown {params.shown}"
        " --title {params.title:q} --command {params.command:q} --template {input.template[0]}"
        " --table {output.table:q} --term-table {output.terms:q} --gff3 {output.gff3:q} --page {output.page:q} 2> {log:q}"
