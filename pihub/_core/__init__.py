"""The compiled core: one extension a concept, over one shared memory (docs/design/core.md).

There is no Python fallback: a twin in Python could not be right across processes.
"""

from __future__ import annotations

try:
    from pihub._core import arena as _arena  # noqa: F401
except ImportError as error:
    raise ImportError(
        "pihub's compiled core is missing or was built for another Python: build it with "
        "`make core`, or `python setup.py build_ext --inplace` in the source folder "
        f"({error})"
    ) from error
