"""`python -m pengadil`: the command `pengadil`."""

from __future__ import annotations

from pengadil.command import run

if __name__ == "__main__":
    # From Python 3.14 on argparse would name the program after this module, without the verb.
    __spec__ = None
    run()
