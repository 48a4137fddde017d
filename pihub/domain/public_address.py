"""Whether an address belongs to the public internet: what the hub may call on a stranger's word.

Sources: the IANA special-purpose registries (as Python's `ipaddress` has them); RFC 4291, 2.5.5
(IPv4-mapped and -compatible), RFC 6052 and 8215 (NAT64), RFC 3056 (6to4), RFC 4380 (Teredo):
an IPv6 address that carries an IPv4 one is judged by that, too.
"""

from __future__ import annotations

import ipaddress

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_PROTOCOLS = ipaddress.IPv4Network("192.0.0.0/24")
"""For protocols of the IETF; Pythons before 3.11.10 know a part of it only."""
_REFUSED = tuple(
    map(ipaddress.IPv6Network, ("64:ff9b:1::/48", "2001::/32", "::/96", "fec0::/10", "5f00::/16"))
)
"""Local NAT64, Teredo, IPv4-compatible, site-local, segment routing: never a plain host."""


def is_public(text: str) -> bool:
    """False for what is no address at all."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv4Address):
        return address.is_global and not address.is_multicast and address not in _PROTOCOLS
    if address.ipv4_mapped is not None:
        return is_public(str(address.ipv4_mapped))
    if address in _NAT64:
        return is_public(str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)))
    if address.sixtofour is not None:
        return is_public(str(address.sixtofour))
    if any(address in one for one in _REFUSED):
        return False
    return address.is_global and not address.is_multicast
