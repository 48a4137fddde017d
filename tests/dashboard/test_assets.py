"""Files named by their content, packed alike every time, and no more than a phone can bear."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from pihub.dashboard import pages
from pihub.dashboard.assets import PREFIX, Assets, accepts_gzip, matches

STATIC = Path(pages.__file__).parent / "static"


def test_a_changed_file_has_another_address(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("p { color: red }" * 20)
    (tmp_path / "b.css").write_text("b")
    first = Assets(tmp_path)
    again = Assets(tmp_path)
    assert first.url("a.css") == again.url("a.css")
    assert re.fullmatch(PREFIX + r"a\.[0-9a-f]{12}\.css", first.url("a.css"))
    (tmp_path / "a.css").write_text("p { color: blue }" * 20)
    changed = Assets(tmp_path)
    assert changed.url("a.css") != first.url("a.css")
    assert changed.url("b.css") == first.url("b.css")
    assert changed.build != first.build


def test_an_import_carries_the_imported_file_s_address(tmp_path: Path) -> None:
    # Else a browser would keep an old module for ever beside a new page.
    (tmp_path / "a.js").write_text('import { x } from "./b.js";\n')
    (tmp_path / "b.js").write_text("export const x = 1;\n")
    first = Assets(tmp_path)
    name = first.url("b.js").removeprefix(PREFIX)
    sent = first.get(first.url("a.js").removeprefix(PREFIX))
    assert sent is not None and sent.plain == f'import {{ x }} from "./{name}";\n'.encode()
    (tmp_path / "b.js").write_text("export const x = 2;\n")
    assert Assets(tmp_path).url("a.js") != first.url("a.js")


def test_every_import_of_the_page_is_one_that_exists() -> None:
    assets = Assets(STATIC)
    for path in STATIC.glob("*.js"):
        sent = assets.get(assets.url(path.name).removeprefix(PREFIX))
        assert sent is not None
        for name in re.findall(r'from "\./([^"]+)"', sent.plain.decode()):
            assert assets.get(name) is not None, name


def test_packing_is_the_same_every_time_and_true() -> None:
    for path in STATIC.iterdir():
        first = Assets(STATIC).get(Assets(STATIC).url(path.name).removeprefix(PREFIX))
        second = Assets(STATIC).get(Assets(STATIC).url(path.name).removeprefix(PREFIX))
        assert first is not None and first == second
        if first.packed:
            assert gzip.decompress(first.packed) == first.plain


def test_all_files_together_are_light() -> None:
    """Memory of the control process: each plain and packed. What a first load sends is a third."""
    assets = Assets(STATIC)
    assert assets.held < 80 * 1024


def test_an_unknown_type_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.exe").write_text("")
    with pytest.raises(ValueError, match="content type"):
        Assets(tmp_path)


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("gzip", True),
        ("br, gzip;q=0.5", True),
        ("GZIP", True),
        ("*", True),
        ("", False),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, br", False),
    ],
)
def test_gzip_only_for_who_takes_it(header: str, wanted: bool) -> None:
    assert accepts_gzip(header) is wanted


def test_etags_are_compared_weakly() -> None:
    assert matches('W/"a", "b"', '"a"')
    assert matches("*", '"a"')
    assert not matches('"ab"', '"a"')
    assert not matches("", '"a"')
