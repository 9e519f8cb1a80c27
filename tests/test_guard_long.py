"""Documents of any length: the parts they are cut into, those that are judged, and the evidence."""

from __future__ import annotations

from itertools import pairwise

import pytest
from helpers_guard import CONTEXT, WordJudge
from hypothesis import given
from hypothesis import strategies as st

from pengadil.errors import PengadilError
from pengadil.guard.evidence import find_evidence
from pengadil.guard.long import judge_document, judge_documents
from pengadil.guard.overlap import overlaps, prepared
from pengadil.guard.parts import cut
from pengadil.guard.reading import Reading
from pengadil.guard.spans import sentence_spans
from pengadil.language import sentences
from pengadil.prompts import load_prompt

PROMPT = load_prompt("verdict")
FILLER = " ".join(f"Siti{number} menjual {number} biji durian di pasar." for number in range(60))
FACT = "Ali lahir di Ipoh."
LONG = f"{FILLER} {FACT} {FILLER}"
SHORT_PARTS = Reading(part_tokens=40)


def words(text: str) -> int:
    return len(text.split())


def test_a_document_that_fits_is_one_part_as_it_stands() -> None:
    [part] = cut("  Ali lahir di Ipoh. \n", 4, 0, words)
    assert part.text == "  Ali lahir di Ipoh. \n"
    assert (part.start, part.end) == (0, 22)
    assert cut(" \n ", 4, 0, words) == []


def test_parts_end_with_sentences_and_overlap() -> None:
    document = "Satu dua tiga. Empat lima. Enam tujuh lapan. Sembilan."
    parts = [part.text for part in cut(document, 6, 2, words)]
    assert parts == [
        "Satu dua tiga. Empat lima.",
        "Empat lima. Enam tujuh lapan. Sembilan.",
    ]
    assert [part.text for part in cut(document, 6, 0, words)] == [
        "Satu dua tiga. Empat lima.",
        "Enam tujuh lapan. Sembilan.",
    ]


def test_a_sentence_that_is_too_long_is_cut_between_words() -> None:
    parts = cut("satu dua tiga empat lima enam tujuh", 3, 0, words)
    assert [part.text for part in parts] == ["satu dua tiga", "empat lima enam", "tujuh"]


def test_a_word_that_is_too_long_is_cut_within() -> None:
    parts = cut("abcdefghij", 4, 0, len)
    assert [part.text for part in parts] == ["abcd", "efgh", "ij"]


def test_a_document_of_megabytes_is_cut_without_counting_it_whole() -> None:
    counted = []

    def counting(text: str) -> int:
        counted.append(len(text))
        return words(text)

    document = "Ali membeli sebiji durian. " * 40_000
    parts = cut(document, 100, 20, counting)
    assert max(counted) < 10_000
    assert all(words(part.text) <= 100 for part in parts)


@pytest.mark.parametrize(("most", "overlap"), [(4, 4), (4, -1), (0, 0)])
def test_an_overlap_of_a_whole_part_is_refused(most: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="overlap"):
        cut("Ali lahir di Ipoh.", most, overlap, words)


TEXTS = st.text(alphabet="aB9 .!?\n\t“”。é", max_size=300)


@given(TEXTS, st.integers(1, 30), st.integers(0, 29), st.sampled_from([words, len]))
def test_parts_are_stretches_in_order_that_leave_no_word_out(
    document: str, most: int, overlap: int, count: object
) -> None:
    parts = cut(document, most, min(overlap, most - 1), count)
    covered = set()
    for part in parts:
        assert part.text == document[part.start : part.end]
        assert count(part.text) <= most
        covered |= set(range(part.start, part.end))
    left = [document[at] for at in range(len(document)) if at not in covered]
    assert "".join(left).strip() == ""
    assert [part.start for part in parts] == sorted({part.start for part in parts})
    assert [part.end for part in parts] == sorted({part.end for part in parts})


@given(TEXTS)
def test_spans_are_those_of_the_sentences(text: str) -> None:
    spans = sentence_spans(text)
    assert [text[start:end] for start, end in spans] == sentences(text)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


def test_a_fact_in_a_long_document_is_found() -> None:
    judge = WordJudge()
    judged = judge_document(judge, PROMPT, LONG, FACT, reading=SHORT_PARTS)
    assert judged.judgement.verdict == 1
    assert LONG[judged.evidence.start : judged.evidence.end] == judged.evidence.sentence == FACT
    assert judged.span[0] <= judged.evidence.start < judged.evidence.end <= judged.span[1]
    assert judged.parts > 10
    assert judge.calls == [judged.looked_at] == [SHORT_PARTS.most_parts]


def test_a_contradiction_shows_the_sentence_that_it_contradicts() -> None:
    judged = judge_document(WordJudge(), PROMPT, LONG, "Ali lahir di Muar.", reading=SHORT_PARTS)
    assert judged.judgement.verdict == 0
    assert judged.evidence.sentence == FACT


def test_parts_are_no_longer_than_the_judge_can_read() -> None:
    # WordJudge itself refuses rows beyond its context.
    judged = judge_document(WordJudge(), PROMPT, LONG, FACT, reading=Reading(part_tokens=5_000))
    assert judged.judgement.verdict == 1
    assert judged.parts > 1


def test_a_judge_that_knows_no_tokens_gets_parts_by_their_letters() -> None:
    judged = judge_document(WordJudge(context=None), PROMPT, LONG, FACT, reading=SHORT_PARTS)
    assert judged.judgement.verdict == 1
    start, end = judged.span
    assert end - start <= 3 * SHORT_PARTS.part_tokens


def test_a_statement_that_leaves_no_room_is_refused() -> None:
    with pytest.raises(PengadilError, match="so long that no document fits"):
        judge_document(WordJudge(), PROMPT, FACT, "Ali lahir " * CONTEXT)


def test_all_statements_and_documents_are_one_call() -> None:
    judge = WordJudge()
    asked = [((LONG, "Abu lahir di Muar."), FACT), (("Abu lahir di Muar.",), "Abu lahir di Ipoh.")]
    judged = judge_documents(judge, PROMPT, asked, reading=SHORT_PARTS)
    assert [one.judgement.verdict for one in judged] == [1, 0]
    assert [one.parts_of[-1] for one in judged] == [1, 1]
    assert len(judge.calls) == 1


def test_what_cannot_be_read_stands_only_where_nothing_can_be() -> None:
    judge = WordJudge(unreadable=["ipoh"])
    judged = judge_document(judge, PROMPT, LONG, FACT, reading=SHORT_PARTS)
    assert judged.judgement.verdict is None


@pytest.mark.parametrize("numbers", [{"part_tokens": 3}, {"most_parts": 0}])
def test_a_reading_that_cannot_be_is_refused(numbers: dict[str, int]) -> None:
    with pytest.raises(PengadilError, match="too few"):
        Reading(**numbers)


def test_rare_words_and_affixed_words_weigh() -> None:
    texts = [prepared(text) for text in ("Ali dan Abu.", "Abu dan Siti.", "Siti dilahirkan dan.")]
    lahir, abu = overlaps("Siti lahir.", texts), overlaps("dan Abu", texts)
    assert max(lahir) == lahir[2]
    assert abu[0] == abu[1] > abu[2] > 0
    assert overlaps("...", texts) == [0, 0, 0]


def test_no_sentence_is_evidence_where_nothing_is_shared() -> None:
    assert find_evidence("Zzz", [(0, FACT, 0, len(FACT))]) is None
    assert find_evidence(FACT, []) is None


def test_evidence_is_looked_for_within_its_stretches_alone() -> None:
    document = "Ali lahir di Ipoh. Ali lahir pada 1980."
    found = find_evidence("Ali lahir di Ipoh", [(3, document, 19, len(document))])
    assert (found.document, found.sentence, found.start) == (3, "Ali lahir pada 1980.", 19)
