"""Gradio's own words in Malay, which it does not speak itself; English is built into it."""

from __future__ import annotations

from typing import Any

MALAY = {
    "common": {
        "built_with": "dibina dengan",
        "clear": "Kosongkan",
        "download": "Muat turun",
        "download_all": "Muat turun semua",
        "edit": "Sunting",
        "empty": "Kosong",
        "error": "Ralat",
        "language": "Bahasa",
        "loading": "Memuatkan",
        "logo": "logo",
        "or": "atau",
        "progress": "Kemajuan",
        "remove": "Buang",
        "run": "Jalankan",
        "settings": "Tetapan",
        "share": "Kongsi",
        "submit": "Hantar",
        "undo": "Buat asal",
    },
    "blocks": {
        "connection_can_break": "Pada telefon, sambungan boleh terputus apabila tab ini "
        "ditinggalkan atau peranti tidur, dan giliran anda hilang.",
        "long_requests_queue": "Ramai sedang menunggu.",
        "lost_connection": "Sambungan terputus kerana halaman ditinggalkan. Menyertai giliran "
        "semula...",
        "waiting_for_inputs": "Menunggu fail selesai dimuat naik; cuba sebentar lagi.",
    },
    "chatbot": {
        "edit": "Sunting",
        "retry": "Cuba lagi",
        "undo": "Buat asal",
        "submit": "Hantar",
        "cancel": "Batal",
        "like": "Suka",
        "dislike": "Tidak suka",
        "clear": "Kosongkan",
        "complete": "Selesai",
        "copy_message": "Salin mesej",
        "copied_message": "Mesej disalin",
    },
    "chat_interface": {
        "new_chat": "Sembang baharu",
        "message_placeholder": "Taip mesej...",
        "additional_inputs": "Input tambahan",
        "chatbot": "Bot sembang",
        "conversation": "Perbualan",
    },
    "checkbox": {"checkbox": "Kotak semak", "checkbox_group": "Kumpulan kotak semak"},
    "dataframe": {"filter": "Tapis", "clear_filter": "Kosongkan tapisan"},
    "dropdown": {"dropdown": "Senarai pilihan"},
    "errors": {
        "build_error": "ada ralat binaan",
        "config_error": "ada ralat tetapan",
        "contact_page_author": "Sila hubungi pemilik halaman ini.",
        "runtime_error": "ada ralat semasa berjalan",
    },
    "file": {"uploading": "Memuat naik..."},
    "highlighted_text": {"highlighted_text": "Teks bertanda"},
    "label": {"label": "Label"},
    "login": {
        "incorrect_credentials": "Nama atau kata laluan salah",
        "username": "nama pengguna",
        "password": "kata laluan",
        "login": "Log masuk",
    },
    "number": {"number": "Nombor"},
    "radio": {"radio": "Pilihan"},
    "slider": {"slider": "Gelangsar"},
    "status": {"queue_position": "Dalam giliran: {position} daripada {size}"},
    "upload_text": {
        "click_to_upload": "Klik untuk Muat Naik",
        "drop_csv": "Lepaskan CSV di Sini",
        "drop_file": "Lepaskan Fail di Sini",
        "paste_clipboard": "Tampal daripada Papan Klip",
    },
}


def gradio_words() -> Any:
    """The words for Gradio's `launch`; what is not in MALAY stays English."""
    from gradio import I18n

    # Its type names texts only; the page takes them grouped, as Gradio's own are.
    words: dict[str, Any] = {"ms": MALAY, "en": {}}
    return I18n(**words)
