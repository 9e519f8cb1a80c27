"""A report says what the answers say, escapes what the data hold, and is whole or absent."""

import json
import os
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pengadil.errors import PengadilError
from pengadil.pictures import confusion_picture, reliability_picture
from pengadil.records import Example, Judgement, write_jsonl
from pengadil.report import (
    accuracy_with_interval,
    comparison_line,
    headline,
    percent,
    report_page,
    write_report,
)
from pengadil.report_page import LONGEST_QUOTATION, Page, Quotation, Section, as_html, as_markdown
from pengadil.statistics import scores
from pengadil.wording import p_text, shown_value

HOSTILE = "<script>alert(1)</script> [x](http://a.b) | *b* `c` $d$ & \"e\" 'f' &lt; # ![i](j)"


def judgement(index, gold, verdict, probability=None, **more):
    fields = {"language": "ms", "source": "contoh", **more}
    return Judgement(f"row-{index}", gold, verdict, "score", probability, **fields)


def two_hundred(right=97):
    """100 rows of each label, of which `right` are judged right, each with a probability."""
    rows = []
    for index in range(200):
        gold = index % 2
        verdict = gold if index // 2 < right else 1 - gold
        sure = 0.999 - index / 1000
        rows.append(judgement(index, gold, verdict, sure if verdict else 1 - sure))
    return rows


SUMMARY = {
    "format": 1,
    "model": {"name": "smoke", "revision": None},
    "prompt": {"name": "ringkas", "sha256": "abc"},
    "slice": {"name": "contoh", "rows": 200, "of": 200, "subset": False, "sha256": "def"},
    "mode": "score",
    "scores": {},
    "by": {},
    "baselines": {
        "majority": {"label": 1, "accuracy": 0.5},
        "overlap": {
            "accuracy": 0.625,
            "low": 0.556,
            "high": 0.689,
            "trained_on": "contoh:800",
            "mcnemar": {"only_judge": 75, "only_baseline": 6, "p_value": 1e-9},
        },
    },
    "settings": {"batch": 8, "dtype": "bfloat16"},
    "versions": {"torch": "2.13.0"},
    "git_commit": None,
    "hardware": {"device": "cpu"},
    "seconds": 61.25,
    "finished": "2026-01-02T03:04:05",
}


def results_folder(folder, rows, summary=SUMMARY):
    write_jsonl(folder / "results.jsonl", rows)
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")
    return folder


class Reader(HTMLParser):
    """The tags and the visible text of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        self.text += " " if tag in ("td", "th") else ""

    def handle_data(self, data):
        self.text += data


def rendered(markdown):
    return Reader(MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown))


@pytest.fixture
def written(tmp_path):
    examples = {
        "row-194": Example("row-194", "Ali lahir di Ipoh.", "Ali lahir di Muar.", 0, evidence="Ya.")
    }
    write_report(results_folder(tmp_path, two_hundred()), examples)
    return tmp_path


def test_the_headline_says_accuracy_interval_majority_and_unreadable(written):
    line = "97.0 % of 200 (95 % interval 93.6–98.6); always answering 1 scores 50.0 %; 0 unreadable"
    assert headline(scores(two_hundred())) == line
    for page in ("report.md", "report.html"):
        text = (written / page).read_text(encoding="utf-8")
        assert line in text
        assert "smoke on contoh" in text


def test_both_pages_hold_the_scores_the_baselines_and_how_it_was_run(written):
    markdown = rendered((written / "report.md").read_text(encoding="utf-8")).text
    page = Reader((written / "report.html").read_text(encoding="utf-8")).text
    for text in (markdown, page):
        words = " ".join(text.split())
        for expected in (
            "F1 of label 1 97.0 %",
            "always answering 1 50.0 % 43.1–56.9 97 3 p < 0.001",
            "word overlap (learned from contoh:800) 62.5 % 55.6–68.9 75 6 p < 0.001",
            "The judge beats always answering 1 beyond chance",
            "The judge beats word overlap beyond chance",
            "label 0 100 97.0 %",
            "language ms 200 97.0 %",
            "source contoh 200 97.0 %",
            "model.name smoke",
            "model.revision –",
            "git_commit –",
            "hardware.device cpu",
            "seconds 61.25",
        ):
            assert expected in words
        assert "group" not in words


@pytest.mark.parametrize(
    ("only_judge", "only_baseline", "p_value", "beats"),
    [(20, 5, 0.004, "beats"), (5, 20, 0.004, "does not beat"), (8, 5, 0.58, "does not beat")],
)
def test_word_overlap_is_beaten_only_beyond_chance(only_judge, only_baseline, p_value, beats):
    test = {"only_judge": only_judge, "only_baseline": only_baseline, "p_value": p_value}
    summary = {"baselines": {"overlap": {"accuracy": 0.6, "mcnemar": test}}}
    text = as_markdown(report_page(summary, two_hundred()))
    assert f"The judge {beats} word overlap beyond chance" in text


def test_mistakes_are_quoted_the_surest_first(written):
    text = (written / "report.md").read_text(encoding="utf-8")
    ids = re.findall(r"\*\*(row-\d+): gold", text)
    assert ids == [f"row-{index}" for index in range(194, 200)]
    assert "row-194: gold 0, verdict 1, 80.5 % sure" in text
    assert "> document: Ali lahir di Ipoh." in text
    assert "> statement: Ali lahir di Muar." in text
    assert "> evidence: Ya." in text


def test_only_ten_mistakes_are_quoted_and_the_rest_counted():
    page = report_page(SUMMARY, two_hundred(right=80))
    mistakes = next(section for section in page.sections if section.title == "Mistakes")
    assert len(mistakes.quotations) == 10
    assert mistakes.note == "10 of 40, the surest first."


def test_unreadable_answers_are_shown_and_no_probability_means_no_sureness():
    rows = [judgement(0, 1, None, raw="Entahlah"), judgement(1, 0, 0), judgement(2, None, 1)]
    page = report_page(SUMMARY, rows)
    assert page.headline.endswith("1 unreadable")
    text = as_markdown(page)
    assert "row-0: gold 1, unreadable**" in text
    assert "answer: Entahlah" in text
    assert "1 of 1, in order." in text
    assert "taken at their word" not in text
    assert "row-2" not in text


def test_the_html_is_one_file_that_fetches_nothing(written):
    page = Reader((written / "report.html").read_text(encoding="utf-8"))
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert page.tags.count("img") == 2
    for name, value in page.attributes:
        if name in ("src", "href"):
            assert value.startswith("data:image/png;base64,")
    assert ("name", "viewport") in page.attributes


def test_pictures_are_small_pngs_and_the_same_every_time():
    result = scores([*two_hundred(), judgement(200, 1, None)])
    for draw, subject in (
        (confusion_picture, result),
        (reliability_picture, result.calibration),
        (confusion_picture, scores([])),
    ):
        picture = draw(subject)
        assert picture.startswith(b"\x89PNG\r\n")
        assert len(picture) < 100_000
        assert picture == draw(subject)


def test_a_subset_is_called_a_subset():
    part = {**SUMMARY, "slice": {"name": "contoh", "rows": 50, "of": 200, "subset": True}}
    assert "a subset: 50 of the slice's 200 rows" in report_page(part, two_hundred()).headline
    assert "subset:" not in report_page(SUMMARY, two_hundred()).headline


@pytest.mark.parametrize(
    "summary",
    [
        {},
        {"model": None, "slice": None, "baselines": None},
        {"model": "x", "slice": {}, "baselines": {"overlap": None}},
        {"baselines": {"overlap": {"accuracy": None, "mcnemar": None}}, "settings": {}},
    ],
)
def test_what_a_summary_lacks_is_a_dash(tmp_path, summary):
    write_report(results_folder(tmp_path, two_hundred(), summary))
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "97.0 % of 200" in text
    assert "None" not in text


def test_no_gold_labels_and_no_rows():
    for rows in ([], [judgement(0, None, 1, 0.9)]):
        page = report_page({}, rows)
        assert page.headline == "No row has a gold label, so there is nothing to score"
        assert "None" not in as_markdown(page) + Reader(as_html(page)).text


def test_hostile_text_stays_text(tmp_path):
    row = Judgement(HOSTILE, 0, 1, HOSTILE, 0.9, HOSTILE, 0.1, HOSTILE, HOSTILE, HOSTILE)
    summary = {"model": {"name": HOSTILE}, "slice": {"name": HOSTILE}, HOSTILE: [HOSTILE]}
    folder = results_folder(tmp_path, [row], summary)
    write_report(folder, {HOSTILE: Example(HOSTILE, HOSTILE, HOSTILE, 0)})
    page = Reader((folder / "report.html").read_text(encoding="utf-8"))
    markdown = rendered((folder / "report.md").read_text(encoding="utf-8"))
    for read, pictures in ((page, 2), (markdown, 0)):
        assert not {"script", "a", "em", "code"} & set(read.tags)
        assert read.tags.count("img") == pictures
        # title, name of each subset, heading, document, statement and answer of the mistake
        assert read.text.count(HOSTILE) >= 8


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_comes_through_both_pages_on_one_line(first, second):
    page = Page(
        "t" + first,
        "h" + first,
        [
            Section("s" + first, ("a" + first, "b"), [["c" + first, "d" + second]], "n" + second),
            Section("q", quotations=[Quotation("x" + first, [("name", second)])]),
        ],
    )
    as_html(page).encode("utf-8")
    markdown = as_markdown(page)
    read_html, read_markdown = Reader(as_html(page)), rendered(markdown)
    assert read_html.tags.count("td") == read_markdown.tags.count("td") == 2
    assert set(read_markdown.tags) <= {
        "h1",
        "h2",
        "p",
        "strong",
        "table",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "blockquote",
    }
    assert read_markdown.tags.count("blockquote") == 1
    if first.isprintable():
        expected = " ".join(("c" + first).split())
        assert expected in read_html.text
        assert expected in read_markdown.text


def test_a_long_document_is_cut_with_a_sign():
    page = Page("t", "h", [Section("s", quotations=[Quotation("q", [("document", "a" * 9999)])])])
    for text in (as_markdown(page), as_html(page)):
        assert "a" * (LONGEST_QUOTATION - 1) + "…" in text
        assert "a" * LONGEST_QUOTATION not in text


def test_an_unfinished_or_broken_folder_is_an_error(tmp_path):
    write_jsonl(tmp_path / "results.jsonl", two_hundred())
    with pytest.raises(PengadilError, match="has not finished"):
        write_report(tmp_path)
    for text, wrong in (("{", "not JSON"), ("[]", "not a JSON object"), ("\x80", "not")):
        (tmp_path / "summary.json").write_bytes(text.encode("latin-1"))
        with pytest.raises(PengadilError, match=wrong):
            write_report(tmp_path)
    (tmp_path / "summary.json").write_text("{}", encoding="utf-8")
    (tmp_path / "results.jsonl").unlink()
    with pytest.raises(PengadilError, match="no such file"):
        write_report(tmp_path)
    assert not list(tmp_path.glob("report*"))


def test_a_failed_write_leaves_the_old_report_whole(written, monkeypatch):
    before = (written / "report.md").read_bytes()

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(OSError, match="No space"):
        write_report(results_folder(written, two_hundred(right=50)))
    assert (written / "report.md").read_bytes() == before
    assert not list(written.glob("*.part"))


def test_wording_of_figures():
    assert percent(0.9712) == "97.1 %"
    assert percent(None) == "–"
    assert [p_text(p) for p in (0.0004, 0.0321, 1.0, None)] == [
        "p < 0.001",
        "p = 0.032",
        "p = 1.000",
        "–",
    ]
    assert [shown_value(v) for v in (None, "", 1 / 3, 7, True, ["a"], "é")] == [
        "–",
        "–",
        "0.333333",
        "7",
        "true",
        '["a"]',
        "é",
    ]
    assert accuracy_with_interval(scores(two_hundred())) == (
        "97.0 % of 200 (95 % interval 93.6–98.6)"
    )
    assert accuracy_with_interval(scores([])) == "– of 0 (95 % interval –)"


def test_two_judges_are_compared_on_the_rows_they_share():
    tuned, base = two_hundred(97), two_hundred(50)
    line = comparison_line("tuned", tuned, "base", [*reversed(base), judgement(999, 1, 0)])
    assert line.startswith("tuned 97.0 %, base 50.0 % of 200: +47.0 points (95 % interval +4")
    assert line.endswith("only tuned right 94, only base right 0, McNemar p < 0.001")
    assert comparison_line("a", tuned, "b", []) == "a and b share no row with a gold label"
    unread = [judgement(0, 0, None)]
    assert "a 0.0 %, b 0.0 % of 1" in comparison_line("a", unread, "b", unread)
