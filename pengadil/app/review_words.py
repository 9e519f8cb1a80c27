"""The words of the Review tab, Malay first."""

from __future__ import annotations

WORDS = {
    "results": ("Hasil penilaian yang hendak disemak", "Results to review"),
    "no_results": (
        "Belum ada hasil penilaian di {folder} atau runs. Nilai satu model dahulu: "
        "python eval/evaluate.py MODEL --slice contoh",
        "There are no results in {folder} or runs yet. Evaluate a model first: "
        "python eval/evaluate.py MODEL --slice contoh",
    ),
    "name": ("Nama anda", "Your name"),
    "name_info": (
        "Semakan anda disimpan atas nama ini, di sebelah hasil penilaian itu.",
        "Your reviews are kept under this name, beside the results.",
    ),
    "start": ("Mula menyemak", "Start reviewing"),
    "no_name": ("kosong", "it is empty"),
    "choose": ("Pilih hasil penilaian dahulu.", "Choose results first."),
    "reload": (
        "Halaman ini sudah lama. Tekan Mula menyemak sekali lagi; tiada semakan yang hilang.",
        "This page is old. Press Start reviewing again; no review is lost.",
    ),
    "agree": ("Hakim betul (S): {verdict}", "Judge is right (S): {verdict}"),
    "overrule": ("Hakim salah (T): {verdict}", "Judge is wrong (T): {verdict}"),
    "read_1": ("Selaras (S)", "It agrees (S)"),
    "read_0": ("Tidak selaras (T)", "It does not agree (T)"),
    "skip": ("Langkau (L)", "Skip (L)"),
    "undo": ("Buat asal (U)", "Undo (U)"),
    "says_1": ("selaras", "it agrees"),
    "says_0": ("tidak selaras", "it does not agree"),
    "verdict_1": ("Hakim: selaras", "Judge: it agrees"),
    "verdict_0": ("Hakim: tidak selaras", "Judge: it does not agree"),
    "verdict_none": ("Hakim: jawapan tidak dapat dibaca", "Judge: the answer cannot be read"),
    "probability": (
        "Kebarangkalian selaras: {percent}",
        "Probability that it agrees: {percent}",
    ),
    "no_probability": ("Hakim tidak memberi kebarangkalian.", "The judge gave no probability."),
    "wrote": ("Hakim menulis:", "The judge wrote:"),
    "statement": ("Pernyataan", "Statement"),
    "document": ("Dokumen", "Document"),
    "marks": (
        "Bertanda: ayat yang paling banyak berkongsi perkataan dengan pernyataan (atau ayat bukti "
        "dalam data), dan perkataan yang dikongsi. Tanda itu bukan keputusan hakim.",
        "Marked: the sentence that shares most words with the statement (or the data's own "
        "evidence), and the words they share. The marks are not the judge's.",
    ),
    "reasoning": ("Penaakulan (R untuk membetulkannya)", "Reasoning (R to correct it)"),
    "reasoning_info": (
        "Betulkan jika perlu; disimpan bersama keputusan anda. Biarkan jika ia betul.",
        "Correct it if need be; it is saved with your decision. Let it stand if it is right.",
    ),
    "keys": (
        "Kekunci: S hakim betul, T hakim salah, L langkau, U buat asal, R betulkan penaakulan, "
        "Esc keluar daripada medan teks. Kekunci tidak bertindak semasa anda menaip.",
        "Keys: S the judge is right, T the judge is wrong, L skip, U undo, R correct the "
        "reasoning, Esc leave the text field. The keys do nothing while you type.",
    ),
    "keys_unreadable": (
        "Baris ini tiada keputusan hakim: S selaras, T tidak selaras.",
        "The judge gave no verdict on this row: S it agrees, T it does not.",
    ),
    "saved": ("Disimpan: {said} ({row}).", "Saved: {said} ({row})."),
    "saved_skip": ("Dilangkau: {row}.", "Skipped: {row}."),
    "undone": ("Dibuat asal: {row}.", "Taken back: {row}."),
    "nothing_to_undo": ("Tiada apa-apa untuk dibuat asal.", "There is nothing to take back."),
    "skipped_before": (
        "Anda telah melangkau baris ini sebelum ini.",
        "You skipped this row before.",
    ),
    "all_done": (
        "Semua {all} baris telah anda semak. Terima kasih.",
        "You have reviewed all {all} rows. Thank you.",
    ),
    "progress": (
        "{person}: {done} daripada {all} baris selesai, {skipped} dilangkau.",
        "{person}: {done} of {all} rows done, {skipped} skipped.",
    ),
    "kappa": (
        "Kappa {first} dan {second}: {kappa} (selang 95 % {low} hingga {high}), n = {n}; sama "
        "pada {agreement}.",
        "Kappa of {first} and {second}: {kappa} (95 % interval {low} to {high}), n = {n}; they "
        "agree on {agreement}.",
    ),
    "no_kappa": (
        "{first} dan {second}: sama pada {agreement} daripada n = {n}; kappa belum dapat dikira.",
        "{first} and {second}: they agree on {agreement} of n = {n}; no kappa can be told yet.",
    ),
    "kappa_note": (
        "Daripada baris yang telah disemak sahaja: yang paling meragukan dahulu, dengan keputusan "
        "hakim kelihatan.",
        "Of the rows reviewed so far only: the most doubtful first, with the judge's verdict in "
        "sight.",
    ),
    "stale": (
        "{count} semakan adalah tentang penilaian yang terdahulu; disimpan, tetapi tidak dikira.",
        "{count} reviews are of an earlier evaluation; they are kept, and do not count.",
    ),
    "export": ("Eksport semakan", "Export reviews"),
    "min_reviewers": (
        "Bilangan penyemak paling sedikit (0: semua mesti sepakat)",
        "Fewest reviewers (0: all of them have to agree)",
    ),
    "min_info": (
        "Mulai 1: majoriti menentukan, bagi baris yang mempunyai sekian banyak jawapan.",
        "From 1 on: the majority decides, of rows with so many answers.",
    ),
    "make_files": ("Sediakan fail", "Make the files"),
    "files": ("Fail untuk dimuat turun", "Files to download"),
    "nothing_to_export": ("Belum ada semakan di sini.", "Nobody has reviewed this yet."),
    "exported": (
        "rows.jsonl: {rows} baris latihan, {reasonless} daripadanya tanpa penaakulan. "
        "pairs.jsonl: {pairs} pasangan. Ditinggalkan: {divided} baris yang penyemak tidak sepakat, "
        "{too_few} yang kurang penyemak; {no_reasoning} baris yang ditolak tiada penaakulan yang "
        "dibetulkan, {no_answer} tiada jawapan hakim.",
        "rows.jsonl: {rows} rows to train on, {reasonless} of them without a reasoning. "
        "pairs.jsonl: {pairs} pairs. Left out: {divided} rows on which people are divided, "
        "{too_few} with too few reviewers; {no_reasoning} overruled rows have no corrected "
        "reasoning, {no_answer} no answer of the judge.",
    ),
    "no_pairs": ("pairs.jsonl tidak ditulis: {reason}", "pairs.jsonl is not written: {reason}"),
    "test_slice": (
        "Amaran: baris ini daripada slice ujian {slice} ({count} baris). Melatih model dengannya "
        "merosakkan ujian itu: skor pada {slice} tidak bermakna lagi, dan train.py menolaknya. "
        "Semak baris anda sendiri (scripts/judge.py) atau bahagian pengesahan (validation).",
        "Warning: {count} of these rows are of the test slice {slice}. To train on them spoils "
        "it: a score on {slice} means nothing then, and train.py refuses them. Review rows of "
        "your own (scripts/judge.py) or of a validation split.",
    ),
}
