"""Webhooks over TLS: whom they trust, and who they say they are."""

import ssl
import subprocess
from pathlib import Path

import pytest
from certificates import Certificate, authority, signed
from receivers import Opens, answers, deaf, request

from tocsind.courier import webhook


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where certificates are."""
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def ca(folder: Path) -> Certificate:
    """A private authority."""
    return authority(folder)


@pytest.fixture(scope="module")
def server(ca: Certificate, folder: Path) -> Certificate:
    """Its certificate for this machine."""
    return signed(ca, folder, "server")


def speaking(server: Certificate, client_ca: Certificate | None = None) -> ssl.SSLContext:
    """How a receiver speaks TLS."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(server.certificate, server.key)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca.certificate)
    return context


def test_a_private_authority_that_was_given_is_trusted(opens: Opens, ca: Certificate, server: Certificate) -> None:
    """By name and by address; and by nobody to whom it was not given."""
    receiver = opens(answers(body=b"fine"), tls=speaking(server))
    trusting = ca.certificate.read_text()

    assert webhook.send(request(receiver.url(), ca_certificates=trusting)).answer == "HTTP 200: fine"
    assert webhook.send(request(receiver.url(host="localhost"), ca_certificates=trusting)).done
    stranger = webhook.send(request(receiver.url()))
    assert not stranger.done
    assert stranger.answer.startswith("TLS: its certificate is not trusted: ")


def test_only_the_given_authorities_are_trusted(opens: Opens, folder: Path, server: Certificate) -> None:
    """Another one is none of them."""
    receiver = opens(answers(), tls=speaking(server))
    other = authority(folder, "other")

    outcome = webhook.send(request(receiver.url(), ca_certificates=other.certificate.read_text()))

    assert outcome.answer.startswith("TLS: its certificate is not trusted: ")
    assert receiver.received.empty()


def test_another_host_name_is_refused(
    opens: Opens, ca: Certificate, server: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate of somebody else is not the receiver's."""
    receiver = opens(answers(), tls=speaking(server))
    found = [(2, 1, 6, "", ("127.0.0.1", receiver.port))]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: found)

    outcome = webhook.send(request(receiver.url(host="other.example"), ca_certificates=ca.certificate.read_text()))

    assert outcome.answer.startswith("TLS: its certificate is not trusted: Hostname mismatch")
    assert webhook.send(request(receiver.url(host="other.example"), verify=False)).done


def test_an_expired_certificate_is_refused(opens: Opens, ca: Certificate, folder: Path, server: Certificate) -> None:
    """And taken where nothing is to be verified."""
    expired = folder / "expired.pem"
    again = ["openssl", "x509", "-req", "-in", folder / "server.csr", "-CA", ca.certificate, "-CAkey", ca.key]
    dates = ["-extfile", folder / "server.ext", "-CAcreateserial", "-days", "-1", "-out", expired]
    done = subprocess.run([*again, *dates], capture_output=True)
    if done.returncode:
        pytest.skip("this openssl makes no expired certificates")
    receiver = opens(answers(), tls=speaking(Certificate(expired, server.key)))

    outcome = webhook.send(request(receiver.url(), ca_certificates=ca.certificate.read_text()))

    assert outcome.answer == "TLS: its certificate is not trusted: certificate has expired"
    assert webhook.send(request(receiver.url(), verify=False)).done


def test_a_client_certificate_is_shown(opens: Opens, ca: Certificate, folder: Path, server: Certificate) -> None:
    """A receiver that demands one gets it; without it, or with another's, the request fails."""
    receiver = opens(answers(), tls=speaking(server, client_ca=ca))
    ours = signed(ca, folder, "client")
    theirs = signed(authority(folder, "foreign"), folder, "foreigner")
    asked = request(receiver.url(), ca_certificates=ca.certificate.read_text())

    assert not webhook.send(asked).done
    for each, done in ((theirs, False), (ours, True)):
        asked.client_certificate, asked.client_key = each.certificate.read_text(), each.key.read_text()
        outcome = webhook.send(asked)
        assert outcome.done is done, outcome.answer


@pytest.mark.parametrize("broken", ["ca", "certificate", "key", "other key", "password"])
def test_bad_certificates_fail_in_words(
    opens: Opens, ca: Certificate, folder: Path, server: Certificate, broken: str
) -> None:
    """Nothing raises, nobody is asked for a password, and nothing of a key is shown."""
    receiver = opens(answers(), tls=speaking(server))
    certificate, key = server.certificate.read_text(), server.key.read_text()
    asked = request(receiver.url(), ca_certificates=ca.certificate.read_text())
    asked.client_certificate, asked.client_key = certificate, key
    if broken == "ca":
        asked.ca_certificates = "no certificate"
    elif broken == "certificate":
        asked.client_certificate = certificate.replace("A", "B")
    elif broken == "key":
        asked.client_key = key[:80]
    elif broken == "other key":
        asked.client_key = ca.key.read_text()
    else:
        locked = ["openssl", "pkcs8", "-topk8", "-in", str(server.key), "-passout", "pass:x", "-v2", "aes256"]
        asked.client_key = subprocess.run(locked, check=True, capture_output=True, text=True).stdout

    outcome = webhook.send(asked)

    assert not outcome.done
    assert outcome.answer
    assert not any(line in outcome.answer for line in key.splitlines())
    assert receiver.received.empty()


def test_a_receiver_that_hangs_in_the_handshake_ends_with_the_deadline(opens: Opens) -> None:
    """TLS is part of the time."""
    receiver = opens(deaf)

    outcome = webhook.send(request(receiver.url(scheme="https"), timeout=0.4))

    assert outcome.answer == "no answer within 0.4 s"


def test_no_tls_where_tls_was_expected(opens: Opens, server: Certificate) -> None:
    """Both ways round it fails in words."""
    plain, secure = opens(answers()), opens(answers(), tls=speaking(server))

    assert webhook.send(request(plain.url(scheme="https"), timeout=2)).answer.startswith(("TLS: ", "no answer"))
    assert not webhook.send(request(secure.url(scheme="http"), timeout=2)).done
