# Task data beside families: Gene Ontology, residue contacts, TAPE and files of one's own.

STRUCTURE_FILES = [path for path in SOURCE_FILES if "/sources/structures/" in path]
GO = PROJECT.tasks.go
# Name of a task → format, file, and which of TAPE's tasks it is.
TASK_FILES = {
    **{
        name: ("tape", f"{RESULTS}/sources/tape/{name}.tar.gz", name) for name in PROJECT.tasks.tape
    },
    **(
        {"scope": ("astral", f"{RESULTS}/sources/scope/astral-40.fa", None)}
        if PROJECT.tasks.scope
        else {}
    ),
    **{name: (file.format, file.path, file.task) for name, file in PROJECT.tasks.files.items()},
}
GO_TABLES = ["terms", "annotations", "proteins"] if GO else []


rule tasks:
    """The tables of all configured tasks."""
    input:
        expand(f"{RESULTS}/tasks/go/{{table}}.parquet", table=GO_TABLES),
        [f"{RESULTS}/tasks/contacts/task.parquet"] if STRUCTURE_FILES else [],
        expand(f"{RESULTS}/tasks/{{task}}/task.parquet", task=TASK_FILES),


if GO and GO.data == "dates":

    rule go_task:
        """Annotations with experimental evidence, propagated; parts by date."""
        input:
            ontology=f"{RESULTS}/sources/go/go.obo",
            annotations=f"{RESULTS}/sources/go/goa_human.gaf.gz",
            sequences=GO_SEQUENCES,
            code=code("go_task"),
        output:
            terms=f"{RESULTS}/tasks/go/terms.parquet",
            annotations=f"{RESULTS}/tasks/go/annotations.parquet",
            proteins=f"{RESULTS}/tasks/go/proteins.parquet",
            rejects=f"{RESULTS}/tasks/go/rejects.tsv",
            summary=f"{RESULTS}/tasks/go/summary.json",
        log:
            f"{LOGS}/go_task.log",
        conda:
            "../envs/tables.yaml"
        threads: 1
        resources:
            mem_mb=need("light", "mem_mb"),
            runtime=need("light", "runtime"),
        params:
            code=code_digest("go_task"),
            evidence=GO.evidence,
            dev_from=str(GO.dev_from),
            test_from=str(GO.test_from),
            end=f"--end {GO.end}" if GO.end else "",
            knowledge=GO.knowledge,
            min_train_proteins=GO.min_train_proteins,
            max_proteins=f"--max-proteins {GO.max_proteins}" if GO.max_proteins else "",
            max_reject_share=GO.max_reject_share,
            seed=PROJECT.seed,
        shell:
            "python {input.code[0]} --ontology {input.ontology} --annotations {input.annotations}"
            " --sequences {input.sequences} --evidence {params.evidence}"
            " --dev-from {params.dev_from} --test-from {params.test_from} {params.end}"
            " --knowledge {params.knowledge:q} --min-train-proteins {params.min_train_proteins}"
            " {params.max_proteins} --max-reject-share {params.max_reject_share}"
            " --seed {params.seed} --terms {output.terms}"
            " --task-annotations {output.annotations} --proteins {output.proteins}"
            " --rejects {output.rejects} --summary {output.summary} 2> {log}"

elif GO:

    rule cafa3_task:
        """CAFA3's training set and the proteins that it was judged on, in the same tables."""
        input:
            ontology=f"{RESULTS}/sources/cafa3/gene_ontology_edit.obo.2016-06-01.gz",
            training=f"{RESULTS}/sources/cafa3/CAFA3_training_data.tgz",
            targets=f"{RESULTS}/sources/cafa3/CAFA3_targets.tgz",
            truth=f"{RESULTS}/sources/cafa3/supplementary_data.tar.gz",
            code=code("cafa3_task"),
        output:
            terms=f"{RESULTS}/tasks/go/terms.parquet",
            annotations=f"{RESULTS}/tasks/go/annotations.parquet",
            proteins=f"{RESULTS}/tasks/go/proteins.parquet",
            summary=f"{RESULTS}/tasks/go/summary.json",
        log:
            f"{LOGS}/cafa3_task.log",
        conda:
            "../envs/tables.yaml"
        threads: 1
        resources:
            mem_mb=need("light", "mem_mb"),
            runtime=need("light", "runtime"),
        params:
            code=code_digest("cafa3_task"),
            knowledge=GO.knowledge,
            dev_share=GO.dev_share,
            min_train_proteins=GO.min_train_proteins,
            max_proteins=f"--max-proteins {GO.max_proteins}" if GO.max_proteins else "",
            seed=PROJECT.seed,
        shell:
            "python {input.code[0]} --ontology {input.ontology} --training {input.training}"
            " --targets {input.targets} --truth {input.truth} --knowledge {params.knowledge:q}"
            " --dev-share {params.dev_share} --min-train-proteins {params.min_train_proteins}"
            " {params.max_proteins} --seed {params.seed} --terms {output.terms}"
            " --task-annotations {output.annotations} --proteins {output.proteins}"
            " --summary {output.summary} 2> {log}"


rule contacts:
    """Chains with their whole sequence, and pairs of residues nearer than the threshold."""
    input:
        structures=STRUCTURE_FILES,
        code=code("contacts"),
    output:
        task=f"{RESULTS}/tasks/contacts/task.parquet",
        contacts=f"{RESULTS}/tasks/contacts/contacts.parquet",
        rejects=f"{RESULTS}/tasks/contacts/rejects.tsv",
    log:
        f"{LOGS}/contacts.log",
    conda:
        "../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=need("light", "mem_mb"),
        runtime=need("light", "runtime"),
    params:
        code=code_digest("contacts"),
        max_distance=PROJECT.tasks.contacts.max_distance,
        min_length=PROJECT.tasks.contacts.min_length,
    shell:
        "python {input.code[0]} --structures {input.structures}"
        " --max-distance {params.max_distance} --min-length {params.min_length}"
        " --task {output.task} --contacts {output.contacts} --rejects {output.rejects} 2> {log}"


rule task_file:
    """A task out of a file in somebody else's format."""
    input:
        file=lambda wildcards: TASK_FILES[wildcards.task][1],
        code=code("task_file"),
    output:
        task=f"{RESULTS}/tasks/{{task}}/task.parquet",
        contacts=f"{RESULTS}/tasks/{{task}}/contacts.parquet",
        rejects=f"{RESULTS}/tasks/{{task}}/rejects.tsv",
    log:
        f"{LOGS}/task_file/{{task}}.log",
    wildcard_constraints:
        task=names(TASK_FILES),
    conda:
        "../envs/tables.yaml"
    threads: 1
    resources:
        mem_mb=need("light", "mem_mb"),
        runtime=need("light", "runtime"),
    params:
        code=code_digest("task_file"),
        format=lambda wildcards: TASK_FILES[wildcards.task][0],
        kind=lambda wildcards: (
            f"--kind {TASK_FILES[wildcards.task][2]}" if TASK_FILES[wildcards.task][2] else ""
        ),
        seed=PROJECT.seed,
    shell:
        "python {input.code[0]} --file {input.file:q} --format {params.format} {params.kind}"
        " --seed {params.seed} --task {output.task} --contacts {output.contacts}"
        " --rejects {output.rejects} 2> {log}"
