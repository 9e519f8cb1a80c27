"""An adapter to verified GGUF files."""

from pengadil.export.gguf import Exported, export_gguf
from pengadil.export.quantise import QUANTISATIONS, check_quants
from pengadil.export.source import recipe_quants

__all__ = ["QUANTISATIONS", "Exported", "check_quants", "export_gguf", "recipe_quants"]
