"""Numbers of people and of their money, each by its check digits.

Sources: ISO/IEC 7812 (cards: Luhn, issuers' ranges), ISO 13616 (IBAN: mod 97, lengths by the
SWIFT registry), and the national definitions of the identity numbers. A number whose check is
weak counts only where a word before it says what it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial

from pihub.gateway.prompts.span import AROUND, Look, Span, before, digits

_CARD = re.compile(rb"(?<![\w.\-/+#])(?<!\d )(?:\d[ -]?){12,18}\d(?![\w\-/]|\.\d| \d)")
_GROUPED = re.compile(
    rb"\d{4}([ -])\d{4}\1\d{4}\1\d{1,4}(?:\1\d{3})?|\d{4}([ -])\d{6}\2\d{4,5}|\d{13,19}"
)
_OTHER_NUMBER = re.compile(
    rb"(?:order|invoice|tracking|ticket|shipment|parcel|serial|imei|isbn|ean|gtin|sku|upc|ref"
    rb"|reference|bestell\w*|auftrag\w*|rechnung\w*|kunden\w*|timestamp|session|request|build"
    rb"|version|\bid)[\s\w]{0,12}[ .:#=\"'-]*$"
)
RANGES = (
    # first digits from, to, lengths
    (4, 4, (16, 19)),
    (51, 55, (16,)),
    (2221, 2720, (16,)),
    (34, 34, (15,)),
    (37, 37, (15,)),
    (6011, 6011, (16, 19)),
    (644, 659, (16, 19)),
    (300, 305, (14, 16)),
    (36, 36, (14,)),
    (38, 39, (14, 16)),
    (3528, 3589, (16, 19)),
    (62, 62, (16, 17, 18, 19)),
    (5018, 5018, (16,)),
    (5020, 5020, (16,)),
    (6304, 6304, (16,)),
    (6759, 6763, (16,)),
)
"""Visa, Mastercard, American Express, Discover, Diners Club, JCB, UnionPay, Maestro."""
_IBAN = re.compile(rb"[A-Z][A-Z]\d\d(?:[ -]?[A-Z0-9]){10,30}")
LENGTHS = {
    country: length
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FI FO GL NL SD", 19: "MK SI", 20: "AT BA EE KZ LT LU XK MN",
        21: "CH HR LI LV", 22: "BG BH CR DE GB GE IE ME RS", 23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "LY PT ST", 26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM", 28: "AL AZ CY DO GT HU LB NI PL SV BY",
        29: "BR EG PS QA UA", 30: "JO KW MU YE", 31: "MT SC", 32: "LC", 33: "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip


def cards(data: bytes) -> Look:
    """Card numbers (PAN)."""
    return partial(_cards, data)


def _cards(data: bytes, start: int, end: int) -> Iterator[Span]:
    if end - start < 13:
        return
    for found in _CARD.finditer(data, start, end + AROUND):
        text = found[0]
        number = digits(text)
        if not _GROUPED.fullmatch(text) or not _issued(number) or not luhn(number):
            continue
        if len(text) == len(number) and _OTHER_NUMBER.search(before(data, found.start())):
            continue
        yield Span(found.start(), found.end(), "personal", "card")


def ibans(data: bytes) -> Iterator[Span]:
    """Bank accounts."""
    for found in _IBAN.finditer(data):
        if data[max(0, found.start() - 1) : found.start()].isalnum():
            continue
        length = LENGTHS.get(found[0][:2].decode())
        end = None if length is None else _end_of(data, found.start(), length)
        if end is None or data[end : end + 1].isalnum():
            continue
        text = bytes(b for b in data[found.start() : end] if b not in b" -")
        if mod97(text[4:] + text[:4]) == 1:
            yield Span(found.start(), end, "personal", "iban")


def luhn(number: bytes) -> bool:
    """ISO/IEC 7812-1, annex B; not of one digit alone."""
    total = 0
    for place, byte in enumerate(reversed(number)):
        digit = (byte - 48) << (place & 1)
        total += digit - 9 if digit > 9 else digit
    return total % 10 == 0 and len(set(number)) > 1


def mod97(text: bytes) -> int:
    """ISO 7064: letters count 10 to 35."""
    return int("".join(str(int(chr(b), 36)) for b in text)) % 97


def _issued(number: bytes) -> bool:
    size = len(number)
    return any(
        size in lengths and low <= int(number[: len(str(low))]) <= high
        for low, high, lengths in RANGES
    )


def _end_of(data: bytes, start: int, count: int) -> int | None:
    """The offset after `count` letters and digits, of which single gaps are no part."""
    at, left = start, count
    while left and at < len(data):
        if data[at : at + 1].isalnum():
            left -= 1
        elif data[at] not in b" -":
            return None
        at += 1
    return None if left else at


# ---- identity numbers ---------------------------------------------------------------


def _weighted(number: bytes, weights: tuple[int, ...]) -> int:
    return sum((b - 48) * w for b, w in zip(number, weights, strict=False))


def _steuer_id(text: bytes) -> bool:
    """Germany, section 139b AO: ISO 7064 MOD 11,10; of the first ten digits one stands twice
    or three times."""
    number = digits(text)
    if len(number) != 11 or number[0] == 48 or not 8 <= len(set(number[:10])) <= 9:
        return False
    product = 10
    for byte in number[:10]:
        product = 2 * ((byte - 48 + product) % 10 or 10) % 11
    return (11 - product) % 10 == number[10] - 48


def _nir(text: bytes) -> bool:
    """France, Code de la sécurité sociale R114-26: the last two are 97 - the rest mod 97."""
    plain = bytes(b for b in text if b not in b" .").replace(b"2A", b"19").replace(b"2B", b"18")
    if len(plain) != 15 or not plain.isdigit() or plain[0] not in b"12":
        return False
    month = int(plain[3:5])
    return (1 <= month <= 12 or 20 <= month <= 42) and 97 - int(plain[:13]) % 97 == int(plain[13:])


def _dni(text: bytes) -> bool:
    """Spain, NIF and NIE: a letter by the number mod 23."""
    plain = text.replace(b"-", b"").replace(b" ", b"").upper()
    number = plain[:-1].replace(b"X", b"0").replace(b"Y", b"1").replace(b"Z", b"2")
    return number.isdigit() and b"TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == plain[-1]


_ODD = (
    1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23
)  # fmt: skip


def _codice(text: bytes) -> bool:
    """Italy, DM 23 December 1976: the last letter is a sum mod 26."""
    values = [b - 48 if 48 <= b <= 57 else b - 65 for b in text[:15]]
    total = sum(_ODD[v] if place % 2 == 0 else v for place, v in enumerate(values))
    return total % 26 == text[15] - 65


def _cpf(text: bytes) -> bool:
    """Brazil: two check digits mod 11."""
    n = digits(text)
    if len(n) != 11 or len(set(n)) == 1:
        return False
    first = _weighted(n[:9], tuple(range(10, 1, -1))) * 10 % 11 % 10
    second = _weighted(n[:10], tuple(range(11, 1, -1))) * 10 % 11 % 10
    return (first, second) == (n[9] - 48, n[10] - 48)


def _belgian(text: bytes) -> bool:
    """Belgium, national register: 97 - the rest mod 97, with a 2 before it from 2000 on."""
    n = digits(text)
    rest, check = int(n[:9]), int(n[9:])
    return check in (97 - rest % 97, 97 - (2_000_000_000 + rest) % 97)


def _bsn(text: bytes) -> bool:
    """The Netherlands: the eleven test."""
    n = digits(text)
    return n != b"000000000" and _weighted(n, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def _pesel(text: bytes) -> bool:
    """Poland: weights 1 3 7 9, mod 10."""
    n = digits(text)
    return len(n) == 11 and _weighted(n, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def _nhs(text: bytes) -> bool:
    """England: weights 10 to 2, mod 11."""
    n = digits(text)
    check = 11 - _weighted(n[:9], tuple(range(10, 1, -1))) % 11
    return len(n) == 10 and check != 10 and check % 11 == n[9] - 48


def _ssn(text: bytes) -> bool:
    """United States: no check digit, but blocks that are never given out."""
    n = digits(text)
    return n[:3] not in (b"000", b"666") and n[0] != 57 and n[3:5] != b"00" and n[5:] != b"0000"


Check = Callable[[bytes], bool]
_EDGE = rb"(?<![\w.\-/])(?:%s)(?![\w\-/]|\.\d)"
Identity = tuple[str, re.Pattern[bytes], Check, re.Pattern[bytes] | None, tuple[bytes, ...]]
"""Rule, form, check, which word must stand before it, and what one of these words begins with."""
IDS: tuple[Identity, ...] = tuple(
    (
        rule, re.compile(_EDGE % form), check, None if word is None else re.compile(word),
        () if word is None else tuple(word.replace(rb"\b", b"").split(b"|")),
    )
    for rule, form, check, word in (
        ("fr-nir", rb"[12] ?\d\d ?\d\d ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d", _nir, None),
        ("br-cpf", rb"\d{3}\.\d{3}\.\d{3}-\d\d", _cpf, None),
        ("be-national-number", rb"\d\d\.\d\d\.\d\d-\d{3}\.\d\d", _belgian, None),
        ("br-cpf", rb"\d{11}", _cpf, rb"\bcpf\b"),
        ("de-steuer-id", rb"\d\d ?\d{3} ?\d{3} ?\d{3}", _steuer_id, rb"steuer|idnr|tax|\btin\b"),
        ("es-dni", rb"(?:\d{8}|[XYZ]\d{7})-?[A-Z]", _dni, rb"\bdni\b|\bnif\b|\bnie\b"),
        ("nl-bsn", rb"\d{9}", _bsn, rb"\bbsn\b|burgerservice"),
        ("pl-pesel", rb"\d{11}", _pesel, rb"pesel"),
        ("uk-nhs", rb"\d{3}[ -]?\d{3}[ -]?\d{4}", _nhs, rb"\bnhs\b"),
        ("us-ssn", rb"\d{3}-\d\d-\d{4}", _ssn, rb"\bssn\b|social security"),
    )
)  # fmt: skip


_CODICE_ENDS = re.compile(rb"[0-9]{3}[A-Z](?![A-Za-z0-9_])")
_CODICE = re.compile(rb"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]")


def codici(data: bytes) -> Iterator[Span]:
    """Italian tax codes, which are letters for the most part."""
    for end in _CODICE_ENDS.finditer(data):
        start = end.end() - 16
        found = _CODICE.fullmatch(data, start, end.end()) if start >= 0 else None
        if found and not data[max(0, start - 1) : start].isalnum() and _codice(found[0]):
            yield Span(start, end.end(), "personal", "it-codice-fiscale")


def ids(data: bytes) -> Look:
    """National identity and tax numbers."""
    lower = data.lower()
    wanted = [one for one in IDS if one[3] is None or any(map(lower.__contains__, one[4]))]
    return partial(_ids, data, wanted)


def _ids(data: bytes, wanted: list[Identity], start: int, end: int) -> Iterator[Span]:
    for rule, form, check, word, _ in wanted:
        for found in form.finditer(data, max(0, start - 1), end + AROUND):
            named = word is None or word.search(before(data, found.start())) is not None
            if named and check(found[0]):
                yield Span(found.start(), found.end(), "personal", rule)
