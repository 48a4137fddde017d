"""The bill of materials of a release: CycloneDX 1.5 JSON, from what the archives hold.

Source: https://cyclonedx.org/docs/1.5/json/. One component a distribution, with the
hashes of its wheels and the licence that its metadata names; sorted, without a time.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from arm.archive import sha256
from pihub import __version__

LONGEST = 120
"""Some projects put the licence's whole text into its name's field."""


def sbom(wheels: Iterable[Path]) -> str:
    """The document. Components of one name and version share an entry."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for wheel in sorted(wheels, key=lambda path: path.name):
        meta = metadata(wheel)
        name, version = meta["Name"].lower().replace("_", "-"), meta["Version"]
        one = found.setdefault(
            (name, version),
            {
                "type": "application" if name == "pihub" else "library",
                "name": name,
                "version": version,
                "purl": f"pkg:pypi/{name}@{version}",
                "bom-ref": f"{name}@{version}",
                "licenses": licence(meta),
                "properties": [],
            },
        )
        one["properties"].append({"name": f"sha256:{wheel.name}", "value": sha256(wheel)})
    components = [found[key] for key in sorted(found)]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "name": "pihub", "version": __version__}
        },
        "components": components,
    }
    return json.dumps(document, indent=1, sort_keys=True) + "\n"


def metadata(wheel: Path) -> Any:
    with zipfile.ZipFile(wheel) as archive:
        [name] = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        return HeaderParser().parsestr(archive.read(name).decode())


def licence(meta: Any) -> list[dict[str, Any]]:
    if expression := meta.get("License-Expression"):
        return [{"expression": expression}]
    classifiers = [c for c in meta.get_all("Classifier", []) if c.startswith("License ::")]
    name = (meta.get("License") or "").strip().splitlines()
    words = name[0][:LONGEST] if name else ""
    if not words and classifiers:
        words = classifiers[0].rpartition(":: ")[2]
    return [{"license": {"name": words}}] if words else []
