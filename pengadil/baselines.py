"""What can be judged without reading: a classifier that sees words but not their order.

A judge that does not beat it has shown no reading. Statements alone already give labels away
in many collections (Gururangan et al., 2018, "Annotation Artifacts in Natural Language
Inference Data"), and word overlap gives away more (McCoy et al., 2019, "Right for the Wrong
Reasons"); both are inside this baseline.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from pengadil.errors import PengadilError
from pengadil.records import Example

SEED = 0
NUMBER = r"\d+(?:[.,:]\d+)*"
# A hyphenated Malay word ("anak-anak") is one word; "RM12.50" is "RM" and "12.50".
WORD_OR_NUMBER = re.compile(rf"{NUMBER}|[^\W\d_]+(?:[-'’][^\W\d_]+)*")


def overlap_baseline(train: Sequence[Example], test: Sequence[Example]) -> list[int]:
    """The label, 0 or 1, of each test example by logistic regression; the same every time.

    Inputs: TF-IDF of the statement's words, and `overlap_features`. No word order anywhere.
    Training rows of one label only give that label throughout. Raises PengadilError when
    `train` is empty.
    """
    if not train:
        raise PengadilError(
            "overlap baseline", "no rows to learn from", "Name a training slice that has rows."
        )
    labels = [example.answer for example in train]
    if len(set(labels)) == 1:
        return [labels[0]] * len(test)
    if not test:
        return []

    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    shares = make_pipeline(FunctionTransformer(_feature_rows), StandardScaler())
    parts: list[Any] = [shares]
    if any(_words(example.question) for example in train):
        parts.append(_statement_words())
    model = make_pipeline(make_union(*parts), LogisticRegression(max_iter=1000, random_state=SEED))
    model.fit(list(train), labels)
    return [int(label) for label in model.predict(list(test))]


def overlap_features(example: Example) -> list[float]:
    """Four numbers: how much of the statement is found in the document, in any order.

    The shares, 0 to 1, of its different words, of its numbers, and of its capitalised words
    after the first (which is capitalised anyway), and the count of words not found. A share
    of none is 1: nothing is missing.
    """
    found = {word.casefold() for word in _words(example.passage)}
    words = _words(example.question)
    missing = {word.casefold() for word in words} - found
    return [
        _share_found(words, found),
        _share_found((word for word in words if word[0].isdigit()), found),
        _share_found((word for word in words[1:] if word[0].isupper()), found),
        float(len(missing)),
    ]


def _words(text: str) -> list[str]:
    return WORD_OR_NUMBER.findall(text)


def _share_found(words: Iterable[str], found: set[str]) -> float:
    different = {word.casefold() for word in words}
    return len(different & found) / len(different) if different else 1.0


def _feature_rows(examples: Sequence[Example]) -> list[list[float]]:
    return [overlap_features(example) for example in examples]


def _statement_analyzer(example: Example) -> list[str]:
    return [word.casefold() for word in _words(example.question)]


def _statement_words() -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    return TfidfVectorizer(analyzer=_statement_analyzer, sublinear_tf=True)
