"""Slices: the pinned ones are what they were, and other rows under their names are refused."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path

import pytest

from pengadil.data.bundled import GRADES
from pengadil.data.slices import load_slice
from pengadil.errors import PengadilError
from pengadil.folders import find, read_toml

SHIPPED = find("eval", "slices")
ROWS = "".join(
    json.dumps({"question": "adakah", "passage": f"Ali {n}.", "answer": n % 2, "language": lang})
    + "\n"
    for n, lang in enumerate(("Malay", "English"))
)


def written(folder: Path, digest: str = sha256(ROWS.encode()).hexdigest()) -> Path:
    """A slices file that pins `published.jsonl`, which lies beside it."""
    (folder / "published.jsonl").write_bytes(ROWS.encode())
    path = folder / "slices.toml"
    path.write_text(
        f'[published]\nkind = "file"\nfile = "published.jsonl"\nhub = "owner/rows"\n'
        f'rows = 2\nsha256 = "{digest}"\nnote = "from elsewhere"\n',
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize("name", GRADES)
def test_bundled_slices_are_the_pinned_rows(name: str) -> None:
    test = load_slice(name, SHIPPED)
    entry = read_toml(SHIPPED)[name]
    assert (test.sha256, len(test.examples), test.of) == (
        entry["sha256"],
        entry["rows"],
        entry["rows"],
    )
    assert (test.subset, test.title, test.key) == (False, name, name)


def test_a_limit_makes_a_subset_that_says_so(tmp_path: Path) -> None:
    slices = written(tmp_path)
    whole, first = (load_slice("published", slices, tmp_path, limit) for limit in (None, 1))
    assert first.examples == whole.examples[:1]
    assert (first.name, first.subset, first.of) == ("published", True, 2)
    assert first.title == "published (first 1 of 2)"
    assert first.key == "published-first-1"
    assert first.sha256 == whole.sha256


@pytest.mark.parametrize("limit", [2, 3])
def test_a_limit_of_all_rows_or_more_is_no_subset(tmp_path: Path, limit: int) -> None:
    test = load_slice("published", written(tmp_path), tmp_path, limit)
    assert not test.subset
    assert test.title == "published"


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit: int) -> None:
    with pytest.raises(PengadilError, match="not a number of rows"):
        load_slice("contoh", SHIPPED, limit=limit)


def test_a_file_slice_is_found_under_data(tmp_path: Path) -> None:
    test = load_slice("published", written(tmp_path), data=tmp_path)
    assert [row.language for row in test.examples] == ["ms", "en"]
    assert {row.source for row in test.examples} == {"published"}
    assert test.sha256 == sha256(ROWS.encode()).hexdigest()
    assert test.note == "from elsewhere"


def test_a_file_slice_with_other_bytes_is_refused_with_both_hashes(tmp_path: Path) -> None:
    slices = written(tmp_path)
    changed = ROWS.replace("adakah", "siapa")
    (tmp_path / "published.jsonl").write_bytes(changed.encode())
    with pytest.raises(PengadilError) as caught:
        load_slice("published", slices, data=tmp_path)
    assert sha256(changed.encode()).hexdigest() in str(caught.value)
    assert sha256(ROWS.encode()).hexdigest() in str(caught.value)


def test_a_bundled_slice_with_another_hash_is_refused(tmp_path: Path) -> None:
    slices = tmp_path / "slices.toml"
    slices.write_text('[contoh]\nkind = "bundled"\nrows = 200\nsha256 = "0"\n', encoding="utf-8")
    with pytest.raises(PengadilError, match=r"is not the pinned 0.*pin it anew"):
        load_slice("contoh", slices)


def test_a_file_slice_without_its_file_says_where_to_get_it(tmp_path: Path) -> None:
    slices = written(tmp_path)
    with pytest.raises(PengadilError, match=r"--data .*published\.jsonl, from owner/rows"):
        load_slice("published", slices)
    with pytest.raises(PengadilError, match=r"no such file.*published\.jsonl, from owner/rows"):
        load_slice("published", slices, data=tmp_path / "elsewhere")


def test_any_jsonl_file_is_a_slice_named_with_its_suffix(tmp_path: Path) -> None:
    path = tmp_path / "contoh.jsonl"
    path.write_bytes(ROWS.encode())
    test = load_slice(str(path), SHIPPED)
    assert (test.name, test.of, test.subset) == ("contoh.jsonl", 2, False)


def test_an_unknown_slice_says_which_exist() -> None:
    with pytest.raises(PengadilError, match="Did you mean contoh-sederhana"):
        load_slice("contoh-sedrhana", SHIPPED)
    with pytest.raises(PengadilError, match=r"There are: contoh, .*boolq-malay-200"):
        load_slice("xyz", SHIPPED)
    with pytest.raises(PengadilError, match="no such file"):
        load_slice("gone.jsonl", SHIPPED)


def test_an_entry_that_lacks_a_key_is_refused(tmp_path: Path) -> None:
    slices = tmp_path / "slices.toml"
    slices.write_text('[a]\nkind = "file"\nrows = 1\n[b]\nkind = "cloud"\n', encoding="utf-8")
    with pytest.raises(PengadilError, match="no usable file, hub, sha256"):
        load_slice("a", slices)
    with pytest.raises(PengadilError, match="no usable kind"):
        load_slice("b", slices)
