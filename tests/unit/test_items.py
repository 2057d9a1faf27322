import json

import pandas as pd
import pytest

from pfamformer.errors import InputError
from pfamformer.report.figures import plt, save_svg
from pfamformer.report.items import Column, Item, cells, in_order, prose, read_item, write_item
from pfamformer.report.page import embedded_svg
from pfamformer.tables import read_json


def item(**changes):
    return Item(
        **{"name": "table_9", "section": "families", "title": "T", "caption": "C"} | changes
    )


def test_an_item_survives_writing_and_reading(tmp_path):
    (tmp_path / "table_9.tsv").write_text("a\n1\n")
    written = item(numbers="table_9.tsv", columns=[Column("a", "A", "interval", 2)], text=["x"])
    write_item(written, tmp_path / "table_9.json")
    assert read_item(tmp_path / "table_9.json") == written


def test_an_item_without_its_files_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"table_9: figure\.svg"):
        write_item(item(figure="figure.svg"), tmp_path / "table_9.json")


@pytest.mark.parametrize("content", ["{", "{}", json.dumps({"columns": [], "colour": "red"})])
def test_a_damaged_item_is_named(tmp_path, content):
    (tmp_path / "bad.json").write_text(content)
    with pytest.raises(InputError, match=r"bad\.json"):
        read_item(tmp_path / "bad.json")


def test_items_come_by_section_and_rank():
    items = [item(name=n, rank=r) for n, r in (("b", 2), ("c", 1), ("a", 2))]
    items.append(item(name="z", section="data", rank=9))
    assert [i.name for i in in_order(items)] == ["z", "c", "a", "b"]


def test_cells_show_intervals_small_p_values_and_gaps():
    numbers = pd.DataFrame(
        {
            "m": ["x", None],
            "a": [1234.56, None],
            "a_low": [1.0, 0],
            "a_high": [2.0, 0],
            "p": [1e-9, 0.04],
        }
    )
    columns = [Column("m", "", "text"), Column("a", "", "interval"), Column("p", "", "p")]
    shouted = [Column("m", "", "capitals")]
    assert cells(item(columns=shouted), numbers)[0][0]["text"] == "X"
    first, second = cells(item(columns=columns), numbers)
    assert [c["text"] for c in first] == ["x", "1,234.6", "< 0.0001"]
    assert first[1]["small"] == "(1.0–2.0)"
    assert [c["text"] for c in second] == ["–", "–", "0.04"]
    assert second[1]["sort"] == ""


def test_a_track_draws_value_interval_and_published_value():
    numbers = pd.DataFrame(
        {"a": [30.0, None], "a_low": [20.0, None], "a_high": [40.0, None], "a_sd": [1.5, None],
         "published": [72.3, 81.9]}
    )  # fmt: skip
    columns = [Column("a", "", "interval"), Column("a", "", "track", mark="published")]
    (interval, track), (_, absent) = cells(item(columns=columns), numbers)
    assert interval["text"] == "30.0 ± 1.5" and interval["small"] == "(20.0–40.0)"
    assert track["track"] == {"value": 30.0, "low": 20.0, "high": 40.0, "mark": 72.3}
    assert track["sort"] == 30.0 and absent["sort"] == ""
    assert absent["track"] == {"value": None, "low": None, "high": None, "mark": 81.9}


def test_a_table_of_another_version_is_named():
    made = item(numbers="t.tsv", columns=[Column("f1", "F1")])
    with pytest.raises(InputError, match=r"t\.tsv: no column f1.*another version"):
        cells(made, pd.DataFrame({"fmax": [0.5]}))


def test_a_summary_of_another_version_is_named(tmp_path):
    (tmp_path / "summary.json").write_text('{"runs": [{"loss": 2.5}]}')
    found = read_json(tmp_path / "summary.json").plus(settings={})
    assert found["runs"][0]["loss"] == 2.5 and found["settings"] == {}
    for asked in (found, found["runs"][0]):
        with pytest.raises(InputError, match=r"summary\.json: no entry 'entropy'.*another version"):
            asked["entropy"]


def test_intervals_and_signs_can_be_read():
    numbers = pd.DataFrame({"d": [-0.01, -0.0004], "d_low": [-0.02, 0.1], "d_high": [0.0, 0.2]})
    rows = cells(item(columns=[Column("d", "d", "interval", 2)]), numbers)
    assert [row[0]["text"] for row in rows] == ["-0.01", "0.00"]
    assert [row[0]["small"] for row in rows] == ["(-0.02 to 0.00)", "(0.10–0.20)"]
    assert prose("-3.2 points (-6.1 to -0.3)") == "−3.2 points (−6.1 to −0.3)"
    kept = "P42696.2/187-234, 1e-06, 10-20, chain-1, --seed"
    assert prose(kept) == kept


def test_a_figure_in_the_page_holds_nothing_that_html_does_not_know(tmp_path):
    save_svg(plt.figure(), tmp_path / "f.svg")
    assert "<rdf:RDF" in (tmp_path / "f.svg").read_text()
    page = embedded_svg(tmp_path / "f.svg")
    assert page.startswith("<svg") and "rdf" not in page and "<?xml" not in page
