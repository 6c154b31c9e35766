"""Which addresses a step may connect to.

The one rule: what is judged is the address of the socket about to be connected, never the name or the URL. So a name
that resolves to another address a moment later (DNS rebinding), an odd spelling of 127.0.0.1, and a redirect all meet
the same check.

    public address                                       allowed
    private, loopback, link-local, multicast, reserved   allowed for the networks and hosts that the operator lists
    (IANA special-purpose registries, RFC 6890)          (or for all, with ``allow_private=True``)
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NOT_PUBLIC: tuple[Network, ...] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "192.0.0.0/24",  # protocol assignments; parts of it are global to ipaddress
        "192.88.99.0/24",  # 6to4 relays, given up
        "64:ff9b:1::/48",  # NAT64 of a network of its own
        "100::/64",  # discard only
        "2001::/23",  # protocol assignments, Teredo among them
        "2002::/16",  # 6to4: an IPv4 address of any kind inside
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
    )
)
"""Where releases of Python disagree on ``is_global``, we say no."""

_HOST = re.compile(r"[\w-]+(\.[\w-]+)*")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class HttpPolicy:
    """``allow_private`` is False, True, or what may be reached besides the public internet: networks and host names.

    Networks are in CIDR notation (``10.0.0.0/8``, ``127.0.0.1``); a name (``ci.internal``) allows its every address.
    ``ValueError`` for what is neither.
    """

    allow_private: bool | Iterable[str] = False

    def __post_init__(self) -> None:
        if not isinstance(self.allow_private, bool):
            entries = tuple(self.allow_private)
            for entry in entries:
                if _network(entry) is None and not _is_host(entry):
                    raise ValueError(f"{entry!r} is neither a network such as 10.0.0.0/8 nor a host name")
            object.__setattr__(self, "allow_private", entries)

    def allows(self, host: str, address: str) -> bool:
        """Whether a request to ``host`` may connect to the numeric ``address`` that the host resolved to."""
        if self.allow_private is True:
            return True
        try:
            ip = _innermost(ipaddress.ip_address(address))
        except ValueError:
            return False
        return _is_public(ip) or self._is_listed(host, ip)

    def _is_listed(self, host: str, ip: Address) -> bool:
        if isinstance(self.allow_private, bool):
            return False
        for entry in self.allow_private:
            network = _network(entry)
            if network is None and entry.casefold() == host.casefold():
                return True
            if network is not None and network.version == ip.version and ip in network:
                return True
        return False


class SocketGuard:
    """Makes the sockets of requests to one host, and refuses those to addresses that the policy does not allow.

    ``refused`` lists the addresses that were; the error it raises is an ``OSError``, so that others are still tried.
    """

    def __init__(self, policy: HttpPolicy, host: str) -> None:
        self._policy = policy
        self._host = host
        self.refused: list[str] = []

    def __call__(self, info: tuple[Any, ...]) -> socket.socket:
        """A socket for ``info``, as aiohttp's ``socket_factory``."""
        family, kind, protocol, _, target = info
        address = str(target[0])
        if not self._policy.allows(self._host, address):
            self.refused.append(address)
            raise PermissionError(f"{address} is not a public address")
        return socket.socket(family, kind, protocol)


def _innermost(ip: Address) -> Address:
    """The IPv4 address inside an IPv6 one that leads to it (IPv4-mapped, NAT64), else ``ip``."""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return ip.ipv4_mapped
        if ip in _NAT64:
            return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip


def _is_public(ip: Address) -> bool:
    special = ip.is_multicast or ip.is_reserved or ip.is_unspecified or getattr(ip, "is_site_local", False)
    return ip.is_global and not special and not any(ip.version == net.version and ip in net for net in _NOT_PUBLIC)


def _network(entry: str) -> Network | None:
    try:
        return ipaddress.ip_network(entry)
    except ValueError:
        return None


def _is_host(entry: str) -> bool:
    return _HOST.fullmatch(entry) is not None and not entry.rpartition(".")[2].isdigit()
