"""The words of the Judge tab: Malay first, English second."""

from __future__ import annotations

from pengadil.judges.base import CONSTRAINED, GENERATE, SCORE

WORDS = {
    "document": ("Dokumen", "Document"),
    "document_hint": (
        "Tampal teks di sini, atau lepaskan fail .txt, .md atau .pdf.",
        "Paste text here, or drop a .txt, .md or .pdf file.",
    ),
    "file": ("Buka fail (.txt, .md, .pdf)", "Open a file (.txt, .md, .pdf)"),
    "statement": ("Pernyataan", "Statement"),
    "statement_hint": ("Ali lahir di Ipoh.", "Ali was born in Ipoh."),
    "model": ("Model", "Model"),
    "mode": ("Cara menghakimi", "How it judges"),
    SCORE: ("Bandingkan kebarangkalian", "Compare probabilities"),
    CONSTRAINED: ("Tulis mengikut tatabahasa", "Write under a grammar"),
    GENERATE: ("Tulis bebas, kemudian dibaca", "Write freely, then read it"),
    "judge": ("Hakimi", "Judge"),
    "stop": ("Henti", "Stop"),
    "examples": ("Contoh (klik untuk cuba):", "Examples (click to try):"),
    "result": ("Keputusan", "Verdict"),
    "waiting": (
        "Keputusan akan muncul di sini.",
        "The verdict will appear here.",
    ),
    "loading": ("Memuatkan model {model} …", "Loading the model {model} …"),
    "judging": ("Sedang menghakimi …", "Judging …"),
    "judging_part": (
        "Dokumen ini dipotong kepada {parts} bahagian; membaca {number} daripada {looked} yang "
        "paling berkaitan …",
        "The document was cut into {parts} parts; reading {number} of the {looked} most relevant …",
    ),
    "no_document": (
        "Dokumen kosong. Tampal teks, atau buka fail.",
        "The document is empty. Paste some text, or open a file.",
    ),
    "no_statement": (
        "Pernyataan kosong. Tulis satu ayat untuk disemak.",
        "The statement is empty. Write a sentence to check.",
    ),
    "long_statement": (
        "Pernyataan terlalu panjang: {characters} aksara, paling banyak {most}.",
        "The statement is too long: {characters} characters, at most {most}.",
    ),
    "long_document": (
        "Dokumen terlalu besar: {characters} aksara, paling banyak {most}.",
        "The document is too large: {characters} characters, at most {most}.",
    ),
    "agrees": ("Selaras", "Agrees"),
    "differs": ("Tidak selaras", "Does not agree"),
    "unreadable": ("Tidak dapat dibaca", "Cannot be read"),
    "agrees_why": (
        "Menurut model, pernyataan ini selaras dengan dokumen.",
        "By this model, the statement agrees with the document.",
    ),
    "differs_why": (
        "Menurut model, pernyataan ini tidak selaras dengan dokumen.",
        "By this model, the statement does not agree with the document.",
    ),
    "unreadable_why": (
        "Jawapan model tidak mengandungi keputusan. Cuba cara yang lain.",
        "The model's answer holds no verdict. Try another way of judging.",
    ),
    "probability": (
        "Kebarangkalian keputusan ini, menurut model: {percent}.",
        "Probability of this verdict, by the model: {percent}.",
    ),
    "parts": (
        "Dokumen ini panjang: ia dipotong kepada {parts} bahagian yang bertindih, yang paling "
        "berkaitan dihakimi, dan bahagian {part} menentukan.",
        "The document is long: it was cut into {parts} overlapping parts, the most relevant were "
        "judged, and part {part} decided.",
    ),
    "took": ("{model}, {seconds} saat.", "{model}, {seconds} seconds."),
    "failed": ("Tidak dapat dihakimi", "Could not be judged"),
    "failed_inside": (
        "Ada masalah pada komputer ini ({kind}); butirannya di terminal.",
        "Something went wrong on this machine ({kind}); the terminal has the details.",
    ),
    "reasoning": ("Alasan model", "The model's reasoning"),
    "wrote": ("Yang ditulis oleh model", "What the model wrote"),
    "rests_on_agrees": (
        "Disokong oleh ayat ini dalam dokumen",
        "Supported by this sentence of the document",
    ),
    "rests_on_differs": (
        "Bandingkan dengan ayat ini dalam dokumen",
        "Compare with this sentence of the document",
    ),
    "no_evidence": (
        "Tiada satu ayat yang menonjol; keputusan ini daripada keseluruhan teks.",
        "No single sentence stands out; the verdict rests on the text as a whole.",
    ),
    "window": (
        "Hanya sebahagian daripada {characters} aksara ditunjukkan.",
        "Only a part of {characters} characters is shown.",
    ),
}
