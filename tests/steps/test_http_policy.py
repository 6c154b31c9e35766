"""Which addresses are public, and what an operator's list adds to them."""

import socket

import pytest

from engine.steps.http_policy import HttpPolicy, SocketGuard


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"],
)
def test_public_addresses_are_allowed(address: str) -> None:
    assert HttpPolicy().allows("example.com", address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.255.254",
        "0.0.0.0",  # noqa: S104 - an address to refuse, not to bind
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "203.0.113.5",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::127.0.0.1",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "3fff::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "not an address",
    ],
)
def test_all_other_addresses_are_refused_unless_everything_is_allowed(address: str) -> None:
    assert not HttpPolicy().allows("example.com", address)
    assert not HttpPolicy(["192.168.99.0/24", "ci.internal"]).allows("example.com", address)
    assert HttpPolicy(allow_private=True).allows("example.com", address)


@pytest.mark.parametrize(
    ("host", "address", "allowed"),
    [
        ("example.com", "10.1.2.3", True),
        ("example.com", "::ffff:10.1.2.3", True),
        ("example.com", "11.1.2.3", True),  # public anyway
        ("example.com", "192.168.0.1", False),
        ("example.com", "127.0.0.1", True),
        ("example.com", "127.0.0.2", False),
        ("example.com", "fd00::7", True),
        ("CI.internal", "192.168.0.1", True),
        ("xci.internal", "192.168.0.1", False),
    ],
)
def test_listed_networks_and_hosts_are_allowed(host: str, address: str, allowed: bool) -> None:
    policy = HttpPolicy(iter(["10.0.0.0/8", "127.0.0.1", "fd00::/8", "ci.internal"]))
    assert policy.allows(host, address) is allowed


@pytest.mark.parametrize("entry", ["", "10.0.0.5/8", "10.0.0.0/99", "127.1", "http://ci", "a b", "*.internal", "1234"])
def test_an_entry_that_is_neither_network_nor_host_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match="neither a network such as"):
        HttpPolicy([entry])


def test_the_guard_judges_each_address_that_a_name_resolves_to() -> None:
    guard = SocketGuard(HttpPolicy(), "rebound.example")

    def made(address: str) -> socket.socket:
        return guard((socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, 80)))

    made("8.8.8.8").close()
    with pytest.raises(PermissionError):
        made("169.254.169.254")
    assert guard.refused == ["169.254.169.254"]
