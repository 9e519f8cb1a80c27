"""Answers checked against documents, sentence by sentence; see `pengadil.guard.guard`."""
