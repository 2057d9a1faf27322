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
