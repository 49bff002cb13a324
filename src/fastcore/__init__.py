"""The machine room: integer ticks and lots, compiled on CPython, run by the JIT on PyPy.

``compiled`` says which. On CPython a missing extension is an error with a remedy, never a silent
slow path; ``FASTCORE_PURE=1`` asks for the interpreted rooms on purpose.
"""

import importlib.machinery
import importlib.util
import os
import sys

ROOMS = ("probe", "market", "money", "codec", "sim", "lane")


class _SourceFinder:
    """Finds the .py of a room even where a compiled extension lies beside it."""

    def find_spec(self, fullname, path=None, target=None):
        if not fullname.startswith("fastcore.") or path is None:
            return None
        tail = fullname.rpartition(".")[2]
        for folder in path:
            source = os.path.join(folder, tail + ".py")
            if os.path.exists(source):
                loader = importlib.machinery.SourceFileLoader(fullname, source)
                return importlib.util.spec_from_file_location(fullname, source, loader=loader)
        return None


def _extension_present():
    spec = importlib.util.find_spec("fastcore.probe.clock")
    # By its file, not by its loader: an editable install wraps the loader.
    suffixes = tuple(importlib.machinery.EXTENSION_SUFFIXES)
    return spec is not None and (spec.origin or "").endswith(suffixes)


if os.environ.get("FASTCORE_PURE") == "1":
    sys.meta_path.insert(0, _SourceFinder())
    compiled = False
elif sys.implementation.name != "cpython":
    compiled = False
else:
    compiled = _extension_present()
    if not compiled:
        raise ImportError(
            "fastcore was installed without its compiled core. "
            "Reinstall with a C++ compiler present: pip install --force-reinstall . "
            "(or set FASTCORE_PURE=1 to run the slow interpreted rooms on purpose)"
        )
