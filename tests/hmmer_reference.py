"""The profile-HMM protocol with the HMMER programs, to compare ours with."""

import subprocess
import sys
from pathlib import Path

from pfamformer.methods.profile_hmm import training_alignment
from pfamformer.sequences.stockholm import read_stockholm
from pfamformer.tables import read_table

BIN = Path(sys.executable).parent


def program(*arguments: object) -> None:
    command = [BIN / str(arguments[0]), *map(str, arguments[1:])]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def all_hits(table: Path) -> dict[str, dict[str, float]]:
    """Scores by profile of each sequence in a --tblout file, as printed: one decimal."""
    hits: dict[str, dict[str, float]] = {}
    for line in table.read_text().splitlines():
        if not line.startswith("#"):
            fields = line.split()
            hits.setdefault(fields[0], {})[fields[2]] = float(fields[5])
    return hits


def compare_with_hmmer(results: Path, folder: Path, split_name: str) -> float:
    """Assert that at least 99.5 % of top picks are those of hmmbuild and hmmsearch."""
    folder = folder / split_name
    folder.mkdir()
    domains = read_table("domains", results / "domains/domains.parquet")
    split = read_table("split", results / f"splits/{split_name}/split.parquet")
    part = domains["id"].map(split.set_index("id")["part"])
    train = set(domains.loc[part == "train", "id"])
    with open(folder / "train.sto", "wb") as out:
        for entry in read_stockholm(results / "sources/Pfam-A.seed.gz"):
            alignment = training_alignment(entry, train, 10)
            if alignment is not None:
                alignment.write(out, "stockholm")
    program("hmmbuild", "--amino", folder / "all.hmm", folder / "train.sto")
    test = domains[part == "test"].reset_index(drop=True)
    write = lambda path, rows: path.write_text(  # noqa: E731
        "".join(f">{r.Index}\n{r.sequence}\n" for r in rows.itertuples())
    )
    write(folder / "test.fasta", test)
    first = ("hmmsearch", "-Z", len(test), "-E", 10, "--tblout")
    program(*first, folder / "1.tbl", folder / "all.hmm", folder / "test.fasta")
    hits = all_hits(folder / "1.tbl")
    rest = test[[str(i) not in hits for i in test.index]]
    if len(rest):
        write(folder / "rest.fasta", rest)
        program(*first, folder / "2.tbl", "--max", folder / "all.hmm", folder / "rest.fasta")
        hits |= all_hits(folder / "2.tbl")
    ours = read_table(
        "predictions", results / f"baselines/profile_hmm/{split_name}/predictions.parquet"
    )
    ours = ours.set_index("id").loc[test["id"]]
    # Two profiles may share the best printed score; either is then the programs' top pick.
    same, differences = [], []
    for i, predicted, score in zip(test.index, ours["predicted"], ours["score"], strict=True):
        scores = hits.get(str(i), {"": 0.0})
        same.append(scores.get(predicted) == max(scores.values()))
        if same[-1]:
            differences.append(abs(score - scores[predicted]))
    agreement = sum(same) / len(same)
    assert agreement >= 0.995, f"{agreement:.2%} of {len(test)} top picks agree"
    # Scores print with one decimal. Domain boundaries of repeats come from sampled tracebacks, so a
    # single domain may differ by more.
    assert sum(d < 0.11 for d in differences) >= 0.99 * len(differences), sorted(differences)[-5:]
    return agreement
