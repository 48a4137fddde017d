"""Price tables in TOML: the built-in one, and the owner's that extends it.

Prices are written as vendors print them, USD a million tokens, and read as decimals,
so that no binary fraction ever touches money:

    version = "2026-11-22"

    [anthropic.defaults]            # factors on `input`, for what an entry leaves out
    cache_read = 0.1

    [anthropic."claude-haiku-4-5"]
    input = 1.00
    output = 5.00
    long = { above = 100000, input = 2.00, output = 10.00 }    # optional tier
    image = 0.002                   # optional: USD an image of the prompt
    batch = 0.5                     # optional: factor of deferred requests
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Any

from pihub.domain.pricing import Price, PriceTable, Rates
from pihub.errors import ConfigError
from pihub.settings.paths import database
from pihub.settings.schema import Settings

_FACTORS = ("cache_read", "cache_write_5m", "cache_write_1h")
_FIELDS = frozenset({"input", "output", "long", "image", "batch", *_FACTORS})
_KINDS = frozenset({"anthropic", "openai", "ollama"})
_MAX_USD = 1_000_000
"""Per million tokens: beyond it the unit was mistaken."""


def builtin_prices() -> PriceTable:
    """The table that ships with pihub (prices.toml beside this file)."""
    text = resources.files(__package__).joinpath("prices.toml").read_text("utf-8")
    return parse_prices(text, "prices.toml")


def own_prices(settings: Settings) -> Path:
    """The owner's table: `gateway.prices_file`, or else prices.toml beside the database."""
    named = settings.gateway.prices_file
    return Path(named) if named else database(settings).parent / "prices.toml"


def settings_prices(settings: Settings) -> PriceTable:
    """The table that these settings put in force. Raises ConfigError."""
    path = own_prices(settings)
    if not settings.gateway.prices_file and not path.exists():
        return builtin_prices()
    return load_prices(str(path))


def load_prices(path: str) -> PriceTable:
    """The built-in table, extended by the file at `path` unless that is empty.

    Raises ConfigError naming the file and the entry.
    """
    table = builtin_prices()
    if not path:
        return table
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"gateway.prices_file: cannot read {path}: {error}") from None
    return table.extended(parse_prices(text, path))


def parse_prices(text: str, name: str) -> PriceTable:
    """Raises ConfigError naming `name` and the entry."""
    try:
        data = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name}: {error}") from None
    version = data.pop("version", "")
    if not isinstance(version, str):
        raise ConfigError(f"{name}: version must be a string")
    prices: dict[tuple[str, str], Price] = {}
    for kind, models in data.items():
        if kind not in _KINDS or not isinstance(models, dict):
            raise ConfigError(f"{name}: [{kind}] is not a table of {sorted(_KINDS)}")
        factors = models.get("defaults", {})
        _known(factors, frozenset({*_FACTORS, "batch"}), f"{name}: {kind}.defaults")
        for model, entry in models.items():
            if model != "defaults":
                prices[kind, model] = _price(entry, factors, f'{name}: {kind}."{model}"')
    return PriceTable(prices, version)


def _price(entry: object, factors: Mapping[str, Any], where: str) -> Price:
    table = _known(entry, _FIELDS, where)
    rates = _rates(table, factors, where)
    batch = _permille(table.get("batch", factors.get("batch", 1)), f"{where}.batch")
    tier = table.get("long")
    if tier is None:
        return Price(rates=rates, batch_permille=batch)
    tier = dict(_known(tier, (_FIELDS - {"long", "batch"}) | {"above"}, f"{where}.long"))
    above = tier.pop("above", None)
    if not isinstance(above, int) or above <= 0:
        raise ConfigError(f"{where}.long.above must be a positive number of tokens")
    return Price(
        rates=rates,
        long_above=above,
        long_rates=_rates(tier, factors, f"{where}.long"),
        batch_permille=batch,
    )


def _rates(table: Mapping[str, Any], factors: Mapping[str, Any], where: str) -> Rates:
    for field in ("input", "output"):
        if field not in table:
            raise ConfigError(f"{where}: {field} is missing")
    values = {field: _usd(table[field], f"{where}.{field}") for field in ("input", "output")}
    for field in _FACTORS:
        if field in table:
            values[field] = _usd(table[field], f"{where}.{field}")
        else:
            # Without a factor of the vendor's such tokens cost what input costs.
            factor = _usd(factors.get(field, 1), f"{where}: defaults.{field}")
            values[field] = values["input"] * factor
    pico = {field: _pico(value, f"{where}.{field}") for field, value in values.items()}
    # An image is priced by the piece, not by the million.
    image = _pico(_usd(table.get("image", 0), f"{where}.image") * 1_000_000, f"{where}.image")
    return Rates(**pico, image=image)


def _known(value: object, fields: frozenset[str], where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{where} must be a table")
    unknown = sorted(set(value) - fields)
    if unknown:
        raise ConfigError(f"{where}: unknown {', '.join(unknown)}; known: {sorted(fields)}")
    return value


def _usd(value: object, where: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ConfigError(f"{where} must be a number")
    number = Decimal(value)
    if not number.is_finite() or not 0 <= number <= _MAX_USD:
        raise ConfigError(f"{where} must be between 0 and {_MAX_USD} USD a million tokens")
    return number


def _pico(usd: Decimal, where: str) -> int:
    pico = usd * 1_000_000
    if pico != int(pico):
        raise ConfigError(f"{where} is finer than a millionth of a USD a million tokens")
    return int(pico)


def _permille(value: object, where: str) -> int:
    factor = _usd(value, where) * 1000
    if factor > 1000 or factor != int(factor):
        raise ConfigError(f"{where} must be a factor from 0 to 1, in thousandths at the finest")
    return int(factor)
