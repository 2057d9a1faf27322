import json

import pytest
import torch
from test_config import BASE, changed

from pfamformer.config import resolve
from pfamformer.model.encoder import MaskedLanguageModel
from pfamformer.plan import Job, banner, closing, disk_bytes, failures, parameters

SNAKEMAKE_LOG = """\
[Tue Nov 24 07:46:33 2026]
Error in rule pretrain:
    message: None
    jobid: 1
    input: a, b
    log: {log} (check log file(s) for error details)
    shell:
        python x.py
        (command exited with non-zero exit code)
Removing output files of failed job pretrain since they might be corrupted:
[Tue Nov 24 07:46:40 2026]
Error in rule table_3:
    jobid: 2
    log: {gone} (check log file(s) for error details)
Shutting down, this might take some time.
"""


def test_failed_jobs_are_named_with_the_end_of_their_logs(tmp_path):
    log = tmp_path / "small.log"
    log.write_text("".join(f"line {i}\n" for i in range(40)) + "error: corpus: no sequence\n")
    said = failures(SNAKEMAKE_LOG.format(log=log, gone=tmp_path / "gone.log"))
    assert "2 jobs failed" in said and f"pretrain failed: {log}" in said
    assert "    | error: corpus: no sequence" in said
    assert "line 26\n" in said and "line 25\n" not in said
    assert "table_3 failed" in said and "no such file" in said
    assert failures("Traceback") == "pfamformer: stopped; the reason is above"


def test_failed_jobs_are_found_where_snakemake_names_no_rules(tmp_path):
    log = tmp_path / "small.log"
    log.write_text("error: corpus: no sequence\n")
    command = "CalledProcessError in file:\nCommand 'python x.py 2> {}' returned non-zero\n"
    said = failures(command.format(log) + command.format(tmp_path / "gone.log"))
    assert "2 jobs failed" in said and f"a job failed: {log}\n    | error: corpus" in said
    assert "no such file" in said


def test_the_plan_counts_jobs_gpus_and_disk(tmp_path):
    jobs = [Job("pretrain", 8, 90), Job("finetune", 1, 60), Job("split", 0, 60)]
    said = banner(resolve(BASE), jobs, tmp_path / "results" / "demo")
    assert "3 to run" in said and "at most 13 GPU-hours" in said and "GB free" in said
    assert "none asked for" in banner(resolve(BASE), jobs[2:], tmp_path)
    said = banner(resolve(changed("model", "folder")), jobs[2:], tmp_path)
    assert "with the model in folder" in said and "for everything" not in said
    page = tmp_path / "report.html"
    page.touch()
    assert str(page) in closing(tmp_path, [page, tmp_path / "gone.html"])
    tables = [tmp_path / f"{number}.tsv" for number in range(8)]
    for table in tables:
        table.touch()
    assert "0.tsv" not in closing(tmp_path, [page, *tables])
    said = closing(tmp_path, tables)
    assert f"made      {tables[5]}" in said and "6.tsv" not in said and "and 2 more" in said


def test_disk_grows_with_sources_and_networks(tmp_path):
    small = disk_bytes(resolve(BASE))
    wide = disk_bytes(resolve(changed("runs.small.network", {"width": 4096, "heads": 32})))
    assert wide > small
    raw = json.loads(json.dumps(BASE))
    raw["sources"] = {"provider": "files", "files": {"folder": str(tmp_path)}}
    before = disk_bytes(resolve(raw))
    (tmp_path / "Pfam-A.seed.gz").write_bytes(bytes(1000))
    assert disk_bytes(resolve(raw)) - before == pytest.approx(3000)
    files = {name: {"path": name, "size": 1000} for name in ("Pfam-A.seed.gz", "pfamseq.gz")}
    files["uniparc/uniparc_active_p{chunk}.fasta.gz"] = {"path": "p{chunk}.gz"}
    site = {"mirrors": ["https://example.org"], "files": files}
    raw["sources"] = {"provider": "pfam", "pfam": {"sites": {"pfam": site}}}
    one = disk_bytes(resolve(raw))
    raw["sources"]["uniparc_chunks"] = 200
    # Three times the gzipped chunks, a gigabyte each.
    assert disk_bytes(resolve(raw)) - one == pytest.approx(3 * 199e9)


def test_parameters_are_nearly_those_of_the_network():
    run = resolve(changed("runs.small.network", {"width": 256, "feed_forward": 1024})).runs["small"]
    with torch.device("meta"):
        model = MaskedLanguageModel(run.network)
    assert parameters(run) == pytest.approx(sum(p.numel() for p in model.parameters()), rel=0.15)
