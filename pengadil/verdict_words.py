"""The verdict that Malay or English words give: "Tidak konsisten dengan fakta".

For `pengadil.verdict`, which reads objects and keys first and calls this for what is left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

Label = Literal[0, 1]

_AGREE = r"(?<!secara\ )(?:konsisten|selaras|tekal|consistent)(?:lah)?"
_DIFFER = r"(?:inkonsisten|inconsistent|bercanggah)"
_NOT = (
    r"(?:(?:tidak|tak|bukan)(?:lah)?|kurang|belum|tiada|not|cannot|never|no|neither|nor|gagal"
    r"|(?:is|are|was|were|does|do|did|ca|wo)n['’]t)"
)
# Words that may stand between a negation and what it denies: "tidak boleh dikatakan konsisten".
_BETWEEN = (
    r"(?:adalah|begitu|berapa|sepenuhnya|langsung|dianggap|dikira|dikatakan|dapat|boleh|lagi"
    r"|entirely|fully|completely|wholly|at|all|really|quite|considered|be)"
)
_ADJACENT = re.compile(rf"[\s*_`]+(?:{_BETWEEN}[\s*_`]+){{0,3}}")
# A label before a number or a "no" is a heading: "Konsisten: 3", "Konsisten? Tidak".
_HEADING = r"(?!\s*+[:=]\s*+[*\"']*+(?:\d|tidak\b|tak\b|bukan|no\b|not\b))"

_TOKEN = re.compile(
    rf"""
    \A\W*+(?:tidak|tak|no)\s*+(?P<no>,)            # "Tidak, pernyataan itu ..."
    | \b(?:
        (?P<hedge>(?:
            sama\ ?ada | whether | adakah | konsistenkah | selaraskah
            | boleh\ jadi | (?:ke)?mungkin(?:an)? | barangkali | maybe | perhaps | possibly
            | probably | likely | might | may\ (?:be|not) | could | would
            | jika | kalau | sekiranya | andai | if | unless | melainkan
            | sebahagian(?:nya)? | separa | separuh | hampir | partially | partly | mostly
            | largely | almost | nearly | semestinya | necessarily
            | (?:tidak|tak|kurang)\ (?:pasti|jelas) | unsure | unclear | uncertain
            | not\ (?:sure|clear|certain)
            | (?:tidak\ dapat|tidak\ boleh|cannot|can't|unable\ to)\ (?:be\ )?
              (?:di(?:pasti|tentu|sah)kan | menentukan | determined?)
            | mesti(?:lah)? | perlu | hendaklah | must | should | needs?
            | bermaksud | bermakna | bererti | means | untuk\ menentukan | to\ determine
            )\b
            | (?:atau|or)\W{{1,3}}(?:tidak|bukan|not|sebaliknya)\W*+\Z
            | [01]\s?(?:[=:–-]|jika|if)
        )
        | (?P<agree>{_AGREE}\b{_HEADING})
        | (?P<differ>{_DIFFER}\b{_HEADING})
        | (?P<negation>{_NOT}\b)
        | (?P<conclude>(?:jadi|maka|oleh\ itu|justeru|so|therefore|thus|hence)\b)
        | (?P<turn>(?:tetapi|tapi|namun|kerana|sebab|but|however|because|since)\b)
    )
    | (?P<stop>[;:()](?![01]\)))
    | (?P<one>\(1\)) | (?P<zero>\(0\))
    """,
    re.VERBOSE,
)

# Words with which a verdict is introduced; a sentence of these and a label is one, anywhere.
_CUE = (
    r"(?:kesimpulan(?:nya)?|jawapan(?:nya)?|keputusan(?:nya)?|rumusan(?:nya)?|verdict|conclusion"
    r"|answer|result|label|final|akhir|muktamad|oleh|itu|maka|jadi|justeru|therefore|thus|so|hence"
    r"|in|the|this|that|pernyataan|kenyataan|dakwaan|statement|claim|ini|tersebut|adalah|ialah"
    r"|is|are|was|ia|it|they)"
)
_SAYS = rf"(?:{_NOT}[\s*_`]+(?:{_BETWEEN}[\s*_`]+){{0,3}})?(?:{_AGREE}|{_DIFFER})\b"
_OPENS = re.compile(rf"\W*+(?:{_CUE}\b\W++)*+{_SAYS}")
_ONLY = re.compile(rf"\W*+{_SAYS}\W*+")
# "Selaras dengan dokumen, kedai itu ..." leads in to something else.
_LEADS_IN = re.compile(rf"\W*+{_AGREE}\s+(?:dengan|with)\b[^,]*+,")
# A last sentence speaks of the verdict only if it names what is judged: "Prestasi pasukan itu
# konsisten." tells of the document.
_SUBJECT = re.compile(
    r"\b(?:pernyataan|kenyataan|dakwaan|jawapan|dokumen|petikan|teks|fakta|maklumat|kesimpulan"
    r"|statement|claim|answer|document|passage|text|facts?|information|conclusion)(?:nya)?\b"
)
# "Konsisten. Tetapi saya tidak pasti." takes the verdict back.
_DOUBT = re.compile(r"\b(?:(?:tidak|tak|kurang) (?:pasti|yakin)|not sure|unsure)\b")
_SENTENCE_END = re.compile(r"[!?\n]|\.(?=[\s\"')*]|\Z)|\Z")


def read_words(words: str) -> tuple[Label, int, int] | None:
    """The verdict and where its sentence starts and ends in `words`; None without one.

    It is the last sentence, or the last one that opens with a verdict. What `words` quotes is
    already blanked out.
    """
    is_last = True
    sentences = list(_sentences(words))
    for index in range(len(sentences) - 1, -1, -1):
        start, end = sentences[index]
        sentence = words[start:end].lower()
        opens = _OPENS.match(sentence) is not None
        if opens or (is_last and _SUBJECT.search(sentence)):
            named, label = _read_sentence(sentence)
            if named:
                if label is None or _is_option(words, sentences, index):
                    return None
                return label, start, end
        if is_last and _DOUBT.search(sentence):
            return None
        is_last = False
    return None


def _sentences(words: str) -> Iterator[tuple[int, int]]:
    """Start and end of each sentence or line that has a letter in it, its full stop included."""
    start = 0
    for match in _SENTENCE_END.finditer(words):
        if any(map(str.isalpha, words[start : match.end()])):
            yield start, match.end()
        start = match.end()


def _is_option(words: str, sentences: list[tuple[int, int]], index: int) -> bool:
    """True if a sentence and the one before it are nothing but the two labels: a list of both."""
    if index == 0:
        return False
    before, here = (words[slice(*sentences[place])].lower() for place in (index - 1, index))
    if not (_ONLY.fullmatch(before) and _ONLY.fullmatch(here)):
        return False
    return _read_sentence(before)[1] != _read_sentence(here)[1]


def _read_sentence(sentence: str) -> tuple[bool, Label | None]:
    """Whether a sentence, in lower case, names a label; its verdict, None if it is in doubt.

    A negation counts when it stands next to the label. One further off may deny the label or
    something else ("Ali tidak datang adalah konsisten"), so it makes the sentence unreadable
    unless a word such as "tetapi" or "kerana" comes between.
    """
    if _LEADS_IN.match(sentence):
        return False, None
    said: set[Label | None] = set()
    negations: list[int] = []
    named = False
    hedged = sentence.rstrip().endswith("?")
    for token in _TOKEN.finditer(sentence):
        kind = token.lastgroup
        if kind == "hedge":
            hedged = True
        elif kind == "negation":
            negations.append(token.end())
        elif kind in ("agree", "differ"):
            named = True
            said.add(_polarity(sentence, kind == "agree", negations, token.start()))
            negations.clear()
        elif kind in ("one", "zero", "no"):
            said.add(1 if kind == "one" else 0)
        else:
            negations.clear()
            if kind == "conclude":
                said.clear()
    return named, said.pop() if len(said) == 1 and not hedged else None


def _polarity(sentence: str, agrees: bool, negations: list[int], position: int) -> Label | None:
    if not negations:
        return 1 if agrees else 0
    adjacent = _ADJACENT.fullmatch(sentence, negations[-1], position)
    return 0 if agrees and adjacent and len(negations) == 1 else None
