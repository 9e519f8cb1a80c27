"""pengadil: a small open model as a judge of whether a statement agrees with a document."""

__version__ = "0.1.0"
