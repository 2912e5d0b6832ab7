"""Certificates and keys that come in a request: are they what TLS can use?

Rules
- OpenSSL is asked, by the module that will use them. It reads certificates and their key only from files: these are in
  memory (memfd_create(2)), so that no key is ever on a disk but in the database.
- What OpenSSL says is not passed on: it may quote what it read.
"""

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from tocsind.domain.contact_point import Webhook
from tocsind.domain.errors import Violation

_CERTIFICATES = "must be certificates as PEM, with -----BEGIN CERTIFICATE----- before each"


def violations(webhook: Webhook) -> Iterator[Violation]:
    """Yields the certificates and keys of a webhook that TLS cannot use."""
    if webhook.ca_certificates and not _loads_authorities(webhook.ca_certificates):
        yield "contact_point.webhook.ca_certificates", _CERTIFICATES
    if webhook.client_certificate and webhook.client_key:
        if not _loads_authorities(webhook.client_certificate):
            yield "contact_point.webhook.client_certificate", _CERTIFICATES
        elif not _loads_pair(webhook.client_certificate, webhook.client_key):
            yield "contact_point.webhook.client_key", "must be the certificate's key as PEM, without a password"


def _loads_authorities(text: str) -> bool:
    if not text.isascii():
        return False
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError):
        return False
    return True


def _loads_pair(certificate: str, key: str) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        with _in_memory(certificate) as certificate_file, _in_memory(key) as key_file:
            # Without a password given, it would ask for one on the terminal.
            context.load_cert_chain(certificate_file, key_file, password="")
    except (ssl.SSLError, ValueError):
        return False
    return True


@contextmanager
def _in_memory(text: str) -> Iterator[str]:
    """Lends the path of a file that is in no folder and holds this."""
    number = os.memfd_create("pem", os.MFD_CLOEXEC)
    try:
        with os.fdopen(number, "w", encoding="utf-8", closefd=False) as file:
            file.write(text)
        yield f"/proc/self/fd/{number}"
    finally:
        os.close(number)
