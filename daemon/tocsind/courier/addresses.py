"""Which addresses may be reached: whoever may set up a contact point must not thereby reach what only this machine can.

Rules
- A name is looked up once. What was checked is what is connected to: a name that says something else the next moment
  (DNS rebinding) gains nothing.
- Refused is what is not on the public internet: private, loopback, link-local, shared (RFC 6598), multicast, reserved
  and unspecified addresses, and where clouds tell machines their secrets; unless it is in a network that was allowed.
- An IPv6 address that only wraps one of IPv4 (mapped, compatible, NAT64, 6to4, Teredo) is what it wraps.
- Where a name has several addresses, those that are allowed are tried in turn.
"""

import socket
import threading
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from tocsind.courier.deadline import Deadline

Address = IPv4Address | IPv6Address

# Beside what the library knows. Azure answers machines about themselves at a public address, Oracle's older one and
# Alibaba's are in networks that count as private.
_NEVER_PUBLIC = [
    ip_network(each)
    for each in (
        "0.0.0.0/8",
        "100.64.0.0/10",
        "168.63.129.16/32",
        "192.0.0.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "240.0.0.0/4",
        "64:ff9b:1::/48",
        "100::/64",
        "fec0::/10",
    )
]
_NAT64 = ip_network("64:ff9b::/96")
_COMPATIBLE = ip_network("::/96")


class Refused(Exception):
    """It must not be reached. The text says why."""


class Unresolved(Exception):
    """Its name has no address. The text says why."""


class NoThread(Exception):
    """There is no thread to look a name up: nothing left this machine."""


def is_allowed(text: str, networks: Sequence[str]) -> bool:
    """Whether an address may be reached. `networks` are those allowed beside the public internet, as CIDR."""
    address = ip_address(text.partition("%")[0])
    meant = list(_meant(address))
    allowed = [ip_network(network) for network in networks]
    if any(each in network for each in (address, *meant) for network in allowed):
        return True
    return all(_is_public(each) for each in meant)


def resolve(host: str, port: int, networks: Sequence[str], deadline: Deadline) -> list[str]:
    """Returns the addresses of a name, or of an address, that may be reached. Raises Refused, Unresolved, NoThread,
    TimeoutError and UnicodeError."""
    found = list(dict.fromkeys(look_up(host, port, deadline)))
    allowed = [address for address in found if is_allowed(address, networks)]
    if not allowed:
        raise Refused(
            "it is at an address that is not public, and the daemon was not started with a --webhook-network for it"
        )
    return allowed


def look_up(host: str, port: int, deadline: Deadline) -> list[str]:
    """Returns the addresses of a name. The system's look-up knows no limit: it goes on in a thread of its own when the
    time is over, until it gives up by itself."""
    found: list[list[str]] = []
    failed: list[OSError | UnicodeError] = []

    def ask() -> None:
        try:
            found.append([str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)])
        except (OSError, UnicodeError) as error:
            failed.append(error)

    thread = threading.Thread(target=ask, name="look-up", daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        raise NoThread(str(error)) from None
    thread.join(deadline.left())
    if found:
        return found[0]
    if failed:
        raise Unresolved(getattr(failed[0], "strerror", None) or "it is no name")
    raise TimeoutError("the name was not looked up in time")


def _meant(address: Address) -> Iterator[Address]:
    """What an address leads to."""
    if isinstance(address, IPv6Address):
        wrapped = [address.ipv4_mapped, address.sixtofour]
        if address.teredo:
            wrapped += address.teredo
        if address in _NAT64 or (address in _COMPATIBLE and int(address) > 0xFFFF):
            wrapped.append(IPv4Address(int(address) & 0xFFFFFFFF))
        inner = [each for each in wrapped if each is not None]
        if inner:
            yield from inner
            return
    yield address


def _is_public(address: Address) -> bool:
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in network for network in _NEVER_PUBLIC)
    )
