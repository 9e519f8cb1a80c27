"""The words of the Guard tab: Malay first, English second."""

from __future__ import annotations

from pengadil.guard.thresholds import CHOSEN, GIVEN, MIDDLE, VERDICT

WORDS = {
    "what": (
        "Setiap ayat jawapan dihakimi terhadap dokumen. Ayat yang tidak disokong ditanda, dan "
        "jawapan itu diserahkan kepada manusia.",
        "Every sentence of the answer is judged against the documents. Those that are not "
        "supported are marked, and the answer is handed over to a person.",
    ),
    "documents": ("Dokumen", "Documents"),
    "documents_hint": (
        "Tampal teks di sini, atau buka fail. Beberapa dokumen dipisahkan oleh baris seperti "
        "=== nama ===",
        "Paste text here, or open files. Several documents are kept apart by lines such as "
        "=== name ===",
    ),
    "files": ("Buka fail (.txt, .md, .pdf)", "Open files (.txt, .md, .pdf)"),
    "clear": ("Kosongkan", "Clear"),
    "answer": ("Jawapan chatbot", "The chatbot's answer"),
    "answer_hint": (
        "Ali lahir di Ipoh. Ali bekerja sebagai guru.",
        "Ali was born in Ipoh. Ali works as a teacher.",
    ),
    "model": ("Model", "Model"),
    "own": ("Ambang sendiri, 0 hingga 1", "A threshold of your own, 0 to 1"),
    "own_hint": ("Kosong: ambang model", "Empty: the model's"),
    "check": ("Semak", "Check"),
    "stop": ("Henti", "Stop"),
    "examples": ("Contoh (klik untuk cuba):", "Examples (click to try):"),
    "example_mixed": ("Satu ayat bercanggah", "One sentence contradicts"),
    "example_right": ("Semua ayat betul", "Every sentence is right"),
    "example_long": ("Dokumen panjang", "A long document"),
    "result": ("Keputusan", "Decision"),
    "waiting": ("Keputusan akan muncul di sini.", "The decision will appear here."),
    "loading": ("Memuatkan model {model} …", "Loading the model {model} …"),
    "checking": ("Sedang menyemak {sentences} ayat …", "Checking {sentences} sentences …"),
    "no_documents": (
        "Tiada dokumen. Tampal teks, atau buka fail.",
        "There is no document. Paste some text, or open a file.",
    ),
    "no_answer": (
        "Jawapan kosong. Tampal jawapan untuk disemak.",
        "The answer is empty. Paste one to check.",
    ),
    "no_threshold": (
        "Ambang itu bukan nombor dari 0 hingga 1. Tulis 0.5, misalnya, atau biarkan kosong.",
        "That threshold is no number from 0 to 1. Write 0.5, say, or leave it empty.",
    ),
    "long_documents": (
        "Dokumen terlalu besar: {characters} aksara, paling banyak {most}.",
        "The documents are too large: {characters} characters, at most {most}.",
    ),
    "long_answer": (
        "Jawapan terlalu panjang: {characters} aksara, paling banyak {most}.",
        "The answer is too long: {characters} characters, at most {most}.",
    ),
    "failed": ("Tiada keputusan", "No decision"),
    "failed_inside": (
        "Ada masalah di dalam ({kind}). Butirannya ada pada terminal.",
        "Something went wrong inside ({kind}). The terminal has the details.",
    ),
    "pass": ("Lulus", "Pass"),
    "pass_why": (
        "Kesemua {sentences} ayat disokong oleh dokumen, menurut model.",
        "By this model, the documents support every sentence ({sentences}).",
    ),
    "hand_over": ("Serahkan kepada manusia", "Hand over to a person"),
    "hand_over_why": (
        "{unsupported} daripada {sentences} ayat tidak disokong oleh dokumen, menurut model.",
        "By this model, the documents do not support {unsupported} of {sentences} sentences.",
    ),
    "unreadable_too": (
        "Daripadanya, {unreadable} kerana jawapan model tidak dapat dibaca.",
        "Of these, {unreadable} because what the model answered could not be read.",
    ),
    "sentences": ("Ayat demi ayat", "Sentence by sentence"),
    "supported": ("Disokong", "Supported"),
    "unsupported": ("Tidak disokong", "Not supported"),
    "unreadable": ("Tidak dapat dibaca", "Cannot be read"),
    "support": ("sokongan {percent}", "support {percent}"),
    "evidence_for": ("Disokong oleh ({document}): ", "Supported by ({document}): "),
    "evidence_against": ("Bandingkan dengan ({document}): ", "Compare with ({document}): "),
    "no_evidence": (
        "Tiada ayat dokumen yang serupa.",
        "No sentence of the documents is like it.",
    ),
    "document": ("dokumen {number}", "document {number}"),
    "cut": (
        "{document} dipotong kepada {parts} bahagian yang bertindih, paling banyak {tokens} token "
        "setiap satu; bagi setiap ayat, bahagian yang paling berkaitan dihakimi, dan yang paling "
        "menyokong menentukan keputusan.",
        "{document} was cut into {parts} overlapping parts of at most {tokens} tokens; for each "
        "sentence the most relevant parts were judged, and the one that supports it most decides.",
    ),
    "threshold": ("Ambang {threshold}: {source}.", "Threshold {threshold}: {source}."),
    GIVEN: ("diberi oleh anda", "given by you"),
    "page": ("diberi semasa halaman dimulakan", "given when the page was started"),
    CHOSEN: (
        "dipilih pada {n} ayat {rows}",
        "chosen on {n} sentences of {rows}",
    ),
    MIDDLE: (
        "titik tengah; tiada ambang dipilih pada data pengesahan untuk model ini "
        "(python eval/guard.py MODEL --choose)",
        "the middle; none was chosen for this model on validation data "
        "(python eval/guard.py MODEL --choose)",
    ),
    VERDICT: ("mengikut keputusan model", "by the model's verdict"),
    "took": ("{model}, {seconds} saat", "{model}, {seconds} seconds"),
    "report": ("Muat turun laporan (JSON)", "Download the report (JSON)"),
    "reasoning": ("Taakulan", "Reasoning"),
}
