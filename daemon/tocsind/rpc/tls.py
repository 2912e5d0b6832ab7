"""TLS for TCP listeners, from files that may be replaced while the daemon runs.

Rules
- The files are looked at before each handshake, by their times and sizes; what changed is read again. So a renewed
  certificate is used by the next connection, without a restart and without a signal.
- Files that do not fit together (half of them replaced, a key that is not the certificate's) are not used: the ones
  before serve on, and the log says why, once for each state of the files.
- With a file of client CAs, a connection without a certificate signed by one of them is refused in the handshake. What
  the caller may do is still decided by its token.
"""

import ssl
import threading
from dataclasses import dataclass
from pathlib import Path

import grpc
import structlog

log = structlog.get_logger()


class TlsError(Exception):
    """The files cannot be used."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: the certificate with its chain, its key, and, to demand certificates of clients, the CAs of these."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


def server_credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """Returns credentials that follow the files. Raises TlsError where they cannot be used now."""
    reader = _Reader(files)
    configuration = reader.read()
    return grpc.dynamic_ssl_server_credentials(
        configuration,
        reader.fetch,  # type: ignore[arg-type]  # None means no change, which the types leave out
        require_client_authentication=files.client_ca is not None,
    )


class _Reader:
    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._paths = [path for path in (files.certificate, files.key, files.client_ca) if path is not None]
        self._lock = threading.Lock()
        self._seen: list[tuple[int, int, int]] = []

    def read(self) -> grpc.ServerCertificateConfiguration:
        """Returns what the files hold now."""
        seen = self._state()
        certificate, key = self._files.certificate, self._files.key
        try:
            # gRPC would take anything here and fail at each handshake without a word.
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            if self._files.client_ca is not None:
                context.load_verify_locations(self._files.client_ca)
            roots = self._files.client_ca.read_bytes() if self._files.client_ca is not None else None
            pair = (key.read_bytes(), certificate.read_bytes())
        except (OSError, ssl.SSLError) as error:
            names = ", ".join(str(path) for path in self._paths)
            raise TlsError(f"the TLS files cannot be used ({names}): {error}") from None
        self._seen = seen
        return grpc.ssl_server_certificate_configuration([pair], roots)

    def fetch(self) -> grpc.ServerCertificateConfiguration | None:
        """Returns what the files hold if they changed, None to go on as before; called by gRPC at each handshake."""
        with self._lock:
            try:
                state = self._state()
                if state == self._seen:
                    return None
                configuration = self.read()
            except (OSError, TlsError) as error:
                if self._seen != state:
                    log.error("the TLS files changed and cannot be used; the ones before serve on", error=str(error))
                    self._seen = state
                return None
            log.info("the TLS files were read again", certificate=str(self._files.certificate))
            return configuration

    def _state(self) -> list[tuple[int, int, int]]:
        found = []
        for path in self._paths:
            try:
                stat = path.stat()
                found.append((stat.st_mtime_ns, stat.st_size, stat.st_ino))
            except OSError:
                found.append((0, 0, 0))
        return found
