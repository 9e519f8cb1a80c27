"""The words of the Chat / rewrite tab: Malay first, English second."""

from __future__ import annotations

from pengadil.app.chat_talk import CHAT, DONE, FAILED, LOADING, REWRITE, STOPPED, WAITING, WRITING

WORDS = {
    "who": ("Siapa yang menjawab", "Who answers"),
    "who_info": (
        "Pilih dua atau lebih untuk jawapan sebelah-menyebelah.",
        "Choose two or more for answers side by side.",
    ),
    "what": ("Apa yang diminta", "What to ask for"),
    CHAT: ("Sembang bebas", "Free chat"),
    REWRITE: ("Tulis semula supaya seperti manusia", "Rewrite as a person would"),
    "message": ("Mesej atau teks", "Message or text"),
    "message_hint": (
        "Tulis di sini; Enter menghantar, Shift+Enter baris baharu.",
        "Write here; Enter sends, Shift+Enter is a new line.",
    ),
    "send": ("Hantar", "Send"),
    "stop": ("Henti", "Stop"),
    "again": ("Jawab sekali lagi", "Answer again"),
    "clear": ("Mulakan yang baharu", "Begin a new one"),
    "settings": ("Tetapan", "Settings"),
    "temperature": ("Suhu", "Temperature"),
    "temperature_info": (
        "0: sentiasa perkataan yang paling mungkin. Lebih tinggi, lebih rawak.",
        "0: always the likeliest word. Higher is more random.",
    ),
    "seed": ("Benih", "Seed"),
    "seed_info": (
        "Benih yang sama menulis jawapan yang sama sekali lagi.",
        "The same seed writes the same answer again.",
    ),
    "most_tokens": ("Token paling banyak", "Most tokens"),
    "most_tokens_info": (
        "Jawapan berhenti di sini, walaupun belum habis.",
        "An answer stops here, finished or not.",
    ),
    "stopping": ("Sedang dihentikan …", "Stopping …"),
    "you": ("Anda", "You"),
    "to_rewrite": ("Anda, untuk ditulis semula", "You, to be rewritten"),
    "copy": ("Salin", "Copy"),
    "copied": ("Disalin", "Copied"),
    "empty": (
        "Belum ada mesej. Tulis sesuatu di bawah.",
        "No messages yet. Write something below.",
    ),
    "no_message": ("Mesej kosong. Tulis sesuatu dahulu.", "The message is empty. Write something."),
    "no_model": ("Tiada model dipilih. Pilih sekurang-kurangnya satu.", "No model is chosen."),
    "no_turn": ("Belum ada mesej untuk dijawab.", "There is no message to answer yet."),
    "long_message": (
        "Mesej terlalu panjang: paling banyak {most} aksara.",
        "The message is too long: at most {most} characters.",
    ),
    "no_chat": (
        "Model ini tidak bersembang: ia pengelas yang memberi keputusan sahaja. "
        "Gunakannya pada tab Hakimi.",
        "This model does not chat: it is a classifier, which gives verdicts only. "
        "Use it on the Judge tab.",
    ),
    "no_chat_label": ("{model} (tidak bersembang)", "{model} (does not chat)"),
    "wrote_nothing": ("(Model tidak menulis apa-apa.)", "(The model wrote nothing.)"),
    "failed_inside": (
        "Ada masalah pada komputer ini ({kind}); butirannya di terminal.",
        "Something went wrong on this machine ({kind}); the terminal has the details.",
    ),
    WAITING: ("menunggu giliran …", "waiting for its turn …"),
    LOADING: ("model sedang dimuatkan …", "the model is loading …"),
    WRITING: ("sedang menulis …", "writing …"),
    DONE: ("selesai", "done"),
    STOPPED: ("dihentikan", "stopped"),
    FAILED: ("tidak dapat menjawab", "could not answer"),
}
