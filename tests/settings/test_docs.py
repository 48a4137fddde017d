"""docs/settings.md and the schema say the same, both ways."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pihub.settings import schema
from pihub.settings.load import load
from pihub.settings.types import describe, named_sections_of, section_of

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs" / "settings.md").read_text()
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.+) \|$", re.MULTILINE)


def sections() -> dict[str, type[schema.Section]]:
    """Heading -> class, walked from the schema; timers, breaker and pool are shared."""
    found: dict[str, type[schema.Section]] = {}
    for field in msgspec.structs.fields(schema.Settings):
        named = named_sections_of(field.type)
        section = named or section_of(field.type)
        assert section is not None
        heading = f"{field.name}.NAME" if named else field.name
        found[heading] = section
        for inner in msgspec.structs.fields(section):
            many = named_sections_of(inner.type)
            if many is not None:
                found[f"{heading}.{inner.name}.NAME"] = many
            below = section_of(inner.type)
            if below is not None:
                shared = below not in (schema.ApiCache, schema.Paging, schema.Semantic)
                found[f"*.{inner.name}" if shared else f"{heading}.{inner.name}"] = below
    return found


def documented() -> dict[str, str]:
    """Heading -> its text."""
    parts = re.split(r"^## \[(.+)\]$", DOCS, flags=re.MULTILINE)
    return {
        name: text.split("\n## ")[0] for name, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def shown_default(field: msgspec.structs.FieldInfo) -> str:
    if section_of(field.type):
        return "see below"
    if field.required:
        return "required"
    value = field.default
    if field.default_factory is not msgspec.NODEFAULT:
        value = field.default_factory()
    if value is None:
        return "none"
    return f"`{json.dumps(value)}`"


def test_every_section_is_documented_and_no_other() -> None:
    assert set(documented()) == set(sections())


@pytest.mark.parametrize("heading", list(sections()))
def test_every_key_with_its_default(heading: str) -> None:
    rows = {name: default for name, _, default, _ in ROW.findall(documented()[heading])}
    expected = {
        field.name: shown_default(field) for field in msgspec.structs.fields(sections()[heading])
    }
    assert rows == expected


@pytest.mark.parametrize("heading", list(sections()))
def test_every_type(heading: str) -> None:
    words = {
        "string": "a string",
        "size": "a string",
        "number": "number",
        "seconds": "a number above 0 and at most 86400",
        "true or false": "true or false",
        "list of strings": "a list of strings",
        "table": "another value",
    }
    rows = {name: kind for name, kind, _, _ in ROW.findall(documented()[heading])}
    for field in msgspec.structs.fields(sections()[heading]):
        said, real = rows[field.name], describe(field.type)
        if said in words:
            assert words[said] in real, f"{heading}.{field.name}: {said} is {real}"
        else:
            choices = set(re.findall(r'"(\w+)"', real))
            assert choices == set(re.findall(r'"(\w+)"', said)), field.name


def test_every_meaning_ends_as_a_sentence() -> None:
    for name, _, _, meaning in ROW.findall(DOCS):
        assert len(meaning) > 10, name


@pytest.mark.parametrize("heading", list(sections()))
def test_every_section_has_an_example_that_loads(heading: str, tmp_path: Path) -> None:
    blocks = re.findall(r"```toml\n(.*?)```", documented()[heading], re.DOTALL)
    assert blocks, heading
    for block in blocks:
        check(block, tmp_path)


def test_the_example_file_loads(tmp_path: Path) -> None:
    text = (ROOT / "deploy" / "pihub.toml.example").read_text()
    loaded = load(write(tmp_path, text), {"ANTHROPIC_API_KEY": "x"})
    assert loaded.warnings == ()
    assert list(loaded.settings.models) == ["assistant"]
    # what is commented out must be true as well
    whole = re.sub(r"^# ?((\[|\w+ = ).*)$", r"\1", text, flags=re.MULTILINE)
    whole = re.sub(r"^api_key_file.*\n", "", whole, flags=re.MULTILINE)
    again = load(write(tmp_path, whole), {"ANTHROPIC_API_KEY": "x", "HUBSPOT_TOKEN": "y"})
    assert list(again.settings.apis) == ["hubspot"]


def check(block: str, folder: Path) -> None:
    """The block is valid, given the upstreams and files that it speaks of."""
    raw: dict[str, Any] = tomllib.loads(block)
    text = block.replace("/etc/pihub/prices.toml", str(write(folder, "", "prices.toml")))
    for kind, required in (
        ("upstreams", 'kind = "ollama"\nurl = "http://127.0.0.1:1"\n'),
        ("apis", 'prefix = "/apis/x"\nurl = "http://127.0.0.1:1"\n'),
        ("subscribers", 'url = "http://127.0.0.1:1"\n'),
    ):
        names = set(raw.get(kind, {}))
        if kind == "upstreams" and "models" in raw:
            names |= {"ollama", "claude"}
        for name in names:
            if f"[{kind}.{name}]" not in text:
                text += f"[{kind}.{name}]\n{required}"
    secrets = ("ANTHROPIC_API_KEY", "HUBSPOT_TOKEN", "HUBSPOT_SECRET", "CRM_SECRET",
               "PIHUB_ACTION_KEY")  # fmt: skip
    load(write(folder, text), dict.fromkeys(secrets, "x"))


def write(folder: Path, text: str, name: str = "pihub.toml") -> Path:
    file = folder / name
    file.write_text(text)
    return file
