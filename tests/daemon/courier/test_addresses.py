"""Which addresses may be reached, and that no name leads to others."""

import socket
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from receivers import Opens, answers, request

from tocsind.courier import addresses, webhook
from tocsind.courier.deadline import Deadline


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.9.9.9", "169.254.169.254",
        "168.63.129.16", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.168.1.1",
        "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
        "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a00:1",
        "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "100::1", "fc00::1", "fd00:ec2::254",
        "fd12:3456::1", "fe80::1", "fe80::1%lo", "fec0::1", "ff02::1", "2001:db8::1", "2001::1",
    ],
)  # fmt: skip
def test_what_is_not_public_is_refused(address: str) -> None:
    """Private, loopback, link-local, shared, multicast, reserved, of clouds; however it is wrapped."""
    assert not addresses.is_allowed(address, [])
    assert not addresses.is_allowed(address, ["10.99.0.0/16", "fd99::/16"])


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8",
                                     "64:ff9b::808:808", "2002:808:808::1"])  # fmt: skip
def test_what_is_public_is_allowed(address: str) -> None:
    """Also where it is wrapped."""
    assert addresses.is_allowed(address, [])


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "10.0.0.0/8"),
        ("127.0.0.1", "127.0.0.0/8"),
        ("169.254.169.254", "169.254.169.254/32"),
        ("::ffff:10.0.0.1", "10.0.0.0/8"),
        ("64:ff9b::a00:1", "10.0.0.0/8"),
        ("fd00::1", "fd00::/8"),
        ("fe80::1%lo", "fe80::/10"),
    ],
)
def test_a_network_that_was_allowed_is_reached(address: str, network: str) -> None:
    """And nothing beyond it."""
    assert addresses.is_allowed(address, ["192.168.77.0/24", network])


@given(st.integers(0, 2**32 - 1))
def test_wrapping_changes_nothing(number: int) -> None:
    """Each way to write an address of IPv4 in IPv6 is judged as that address."""
    plain = str(IPv4Address(number))
    high, low = f"{number >> 16:x}", f"{number & 0xFFFF:x}"
    for wrapped in (f"::ffff:{plain}", f"64:ff9b::{high}:{low}", f"2002:{high}:{low}::1"):
        assert addresses.is_allowed(wrapped, []) == addresses.is_allowed(plain, []), wrapped


class Names:
    """A resolver that says what it is told, one answer after the other."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, host: str, port: int, *_: object, **__: object) -> list[object]:
        """As socket.getaddrinfo."""
        found = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [(socket.AF_INET6 if ":" in each else socket.AF_INET, 1, 6, "", (each, port)) for each in found]


def use(monkeypatch: pytest.MonkeyPatch, names: Names) -> Names:
    """Names are looked up there; addresses are still what they are."""
    real = socket.getaddrinfo

    def look_up(host: str, port: int, *args: int, **more: int) -> list[object]:
        return names(host, port) if host.endswith(".example") else list(real(host, port, *args, **more))

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return names


def test_a_name_that_leads_to_a_private_address_is_refused(opens: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts is where it leads."""
    receiver = opens(answers())
    use(monkeypatch, Names(["127.0.0.1", "10.0.0.1", "::1"]))

    outcome = webhook.send(request(receiver.url(host="hooks.example"), networks=["192.168.0.0/16"]))

    assert "not public" in outcome.answer
    assert receiver.connections.empty()


def test_a_name_is_looked_up_once(opens: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that says another address the next moment is connected to at the one that was checked."""
    receiver = opens(answers(), host="127.0.0.2")
    names = use(monkeypatch, Names(["127.0.0.2"], ["127.0.0.1"], ["127.0.0.1"]))

    outcome = webhook.send(request(receiver.url(host="hooks.example"), networks=["127.0.0.2/32"]))

    assert outcome.done, outcome.answer
    assert names.asked == 1
    assert receiver.received.get().headers["host"] == f"hooks.example:{receiver.port}"


def test_of_several_addresses_those_allowed_are_tried(opens: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first that can be connected to; what is refused is passed over."""
    receiver, forbidden = opens(answers(), host="127.0.0.2"), opens(answers(), host="127.0.0.1")
    use(monkeypatch, Names(["127.0.0.1", "127.0.0.3", "127.0.0.2"]))
    asked = request(receiver.url(host="hooks.example"), networks=["127.0.0.2/31"])

    assert webhook.send(asked).done
    assert forbidden.connections.empty()


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433", "017700000001", "localhost", "localhost.", "[::1]",
                                  "[::ffff:127.0.0.1]", "0"])  # fmt: skip
def test_other_ways_to_write_an_address_are_no_way_around(opens: Opens, host: str) -> None:
    """However it is written, it is what it is."""
    receiver = opens(answers())

    outcome = webhook.send(request(receiver.url(host=host), networks=["10.0.0.0/8"]))

    assert not outcome.done
    assert receiver.connections.empty()


def test_a_look_up_that_hangs_ends_with_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's resolver knows no limit; the errand does."""
    import threading

    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait() and [])

    outcome = webhook.send(request("http://hooks.example/", timeout=0.3))
    over.set()

    assert outcome.answer == "no answer within 0.3 s"


def test_addresses_are_told_once() -> None:
    """However often the system says them."""
    assert addresses.resolve("127.0.0.1", 80, ["127.0.0.0/8"], Deadline(5)) == ["127.0.0.1"]
