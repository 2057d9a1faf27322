# The page that users read.


rule project_config:
    """The whole configuration, every run resolved."""
    output:
        f"{RESULTS}/config.json",
    log:
        f"{LOGS}/project_config.log",
    conda:
        "../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=need("light", "mem_mb"),
        runtime=need("light", "runtime"),
    params:
        *setting_lines(PROJECT.model_dump(mode="json", exclude={"query", "model"})),
        # A parameter that is made with the output is no reason to run again; those above are.
        text=lambda wildcards, output: json.dumps(
            PROJECT.model_dump(mode="json", exclude={"query", "model"}), indent=1, sort_keys=True
        ),
    shell:
        "printf '%s\\n' {params.text:q} > {output} 2> {log}"


rule report:
    """One HTML page with every table and figure, their explanation, settings and versions."""
    input:
        config=f"{RESULTS}/config.json",
        families=f"{RESULTS}/domains/families.tsv",
        rejects=f"{RESULTS}/domains/rejects.tsv",
        leakage=expand(f"{RESULTS}/splits/{{split}}/leakage.json", split=SPLITS),
        corpora=expand(
            f"{RESULTS}/corpora/{{corpus}}/{{part}}/index.json",
            corpus=CORPORA,
            part=["train", "valid"],
        ),
        pretraining=expand(
            f"{RESULTS}/pretrain/{{run}}/{{file}}",
            run=PRETRAIN,
            file=["summary.json", "metrics.tsv"],
        ),
        table_3=f"{RESULTS}/tables/table_3.tsv",
        comparisons=f"{RESULTS}/tables/table_3_comparisons.json",
        shown=ITEMS,
        template=ancient(templates("page")),
        code=code("report"),
    output:
        report(
            f"{RESULTS}/report.html",
            caption="../workflow/report/page.rst",
            category="Report",
            labels={"item": "the report"},
        ),
    log:
        f"{LOGS}/report.log",
    conda:
        "../envs/report.yaml"
    threads: 1
    resources:
        mem_mb=need("light", "mem_mb"),
        runtime=need("light", "runtime"),
    params:
        code=code_digest("report"),
        template=digest(map(Path, templates("page"))),
        results=lambda wildcards, output: str(Path(output[0]).parent),
        options=same_configuration(),
    shell:
        "python {input.code[0]} --results {params.results} --items {input.shown}"
        " --template {input.template[0]} --options={params.options:q} --output {output} 2> {log}"
