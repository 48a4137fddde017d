"""What an answer costs: integers only, and never a guess.

A rate is kept in pico-USD a token, which is the same number as micro-USD a million
tokens: a price list's "$0.075 / MTok" is 75 000. A cost is in nano-USD. An unknown
model has no cost (None), it is never free.
Source of the arithmetic: Anthropic "Pricing" (cache writes and reads, long-context
tier by the whole prompt); usage in Anthropic's convention, see domain/chat.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from pihub.domain.chat import Usage

PICO_PER_NANO = 1000
ANY = "*"
"""The entry of a kind that stands for every model without one of its own."""


class UnknownPrice(LookupError):
    """The price table has no entry for the model."""

    def __init__(self, kind: str, model: str) -> None:
        super().__init__(f"no price is known for {kind}/{model}")
        self.kind = kind
        self.model = model


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Pico-USD a token, by what the token was."""

    input: int
    output: int
    cache_read: int
    cache_write_5m: int
    cache_write_1h: int
    image: int = 0
    """Pico-USD an image of the prompt, where a vendor prices those apart from tokens."""

    def __post_init__(self) -> None:
        for field in self.__struct_fields__:
            if getattr(self, field) < 0:
                raise ValueError(f"{field} must not be negative")

    def pico(self, usage: Usage, images: int = 0) -> int:
        """The exact sum; counts below zero (a broken upstream) count as zero."""
        return (
            images * self.image
            + max(usage.input, 0) * self.input
            + max(usage.output, 0) * self.output
            + max(usage.cache_read, 0) * self.cache_read
            + max(usage.cache_write_5m, 0) * self.cache_write_5m
            + max(usage.cache_write_1h, 0) * self.cache_write_1h
        )

    @property
    def free(self) -> bool:
        return not any(getattr(self, field) for field in self.__struct_fields__)


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """One model's rates; `long_rates` hold for prompts of more than `long_above` tokens."""

    rates: Rates
    long_above: int = 0
    """0: there is no long-context tier."""
    long_rates: Rates | None = None
    batch_permille: int = 1000
    """What a deferred request costs, in thousandths of the rates (a 50 % discount: 500)."""

    @property
    def free(self) -> bool:
        """Costs nothing whatever the usage (a local model)."""
        return self.rates.free and (self.long_rates is None or self.long_rates.free)


def cost(usage: Usage, price: Price, *, images: int = 0, batch: bool = False) -> int:
    """Nano-USD, rounded up, so that a token with a price never costs nothing.

    `batch`: through a vendor's batch interface, at its discount.
    """
    prompt = usage.input + usage.cache_read + usage.cache_write_5m + usage.cache_write_1h
    rates = price.rates
    if price.long_rates is not None and price.long_above and prompt > price.long_above:
        rates = price.long_rates
    permille = price.batch_permille if batch else 1000
    return -(-rates.pico(usage, images) * permille // (PICO_PER_NANO * 1000))


_DATE = re.compile(r"[-@](?:latest|20\d{6}|20\d\d-\d\d-\d\d)(?:-v\d+(?::\d+)?)?$")


def base_id(model: str) -> str:
    """A model id without its date or `-latest`: `claude-haiku-4-5-20251001` -> `-4-5`."""
    return _DATE.sub("", model)


REMEMBERED = 1024
"""Look-ups kept, by model; about 200 B each."""


class PriceTable:
    """All known prices, immutable; looked up by the upstream's kind and the model."""

    def __init__(self, prices: Mapping[tuple[str, str], Price], version: str) -> None:
        self._prices = dict(prices)
        self._found: dict[tuple[str, str], Price | None] = {}
        self.version = version

    def __len__(self) -> int:
        return len(self._prices)

    def __contains__(self, item: tuple[str, str]) -> bool:
        return self.find(*item) is not None

    def find(self, kind: str, model: str) -> Price | None:
        """The exact id, else the id without its date, else the kind's `*`, else None."""
        key = (kind, model)
        if key in self._found:
            return self._found[key]
        found = (
            self._prices.get(key)
            or self._prices.get((kind, base_id(model)))
            or self._prices.get((kind, ANY))
        )
        if len(self._found) < REMEMBERED:
            self._found[key] = found
        return found

    def cost(
        self, kind: str, model: str, usage: Usage, *, images: int = 0, batch: bool = False
    ) -> int:
        """Nano-USD. Raises UnknownPrice."""
        price = self.find(kind, model)
        if price is None:
            raise UnknownPrice(kind, model)
        return cost(usage, price, images=images, batch=batch)

    def cost_or_none(self, kind: str, model: str, usage: Usage | None) -> int | None:
        """Nano-USD; None if the price, or the usage of a model with a price, is unknown."""
        price = self.find(kind, model)
        if price is None:
            return None
        if usage is None:
            return 0 if price.free else None
        return cost(usage, price)

    def is_free(self, kind: str, model: str) -> bool:
        """A model that is known to cost nothing whatever the usage."""
        price = self.find(kind, model)
        return price is not None and price.free

    def items(self) -> list[tuple[str, str, Price]]:
        """(kind, model, price), in order."""
        return [(*key, self._prices[key]) for key in sorted(self._prices)]

    def extended(self, other: PriceTable) -> PriceTable:
        """This table with the other's entries on top."""
        return PriceTable({**self._prices, **other._prices}, f"{self.version}+{other.version}")
