"""What is wrong with the machine where the daemon cannot start, in one line that also says what to do.

Rules
- Nothing is mended here, and nothing was changed: a file that is damaged, or whose disk is full, is left as it is.
- What only the system knows (who may do what, how full the disk is) is looked up when it is told, not before: a check
  beforehand would be another program's truth.
- The one exception are addresses to listen on. They are tried before the file is opened, as migrations might be made
  for a start that fails anyway; and gRPC does not say why it cannot listen, but in a line of its own on standard error.
"""

import errno
import os
import pwd
import socket
import sqlite3
import stat
from pathlib import Path

from tocsind.config import Config
from tocsind.domain.errors import TocsinError
from tocsind.rpc.server import ListenError
from tocsind.sqlite.copying import CopyError, is_full
from tocsind.sqlite.lock import HeldError
from tocsind.sqlite.replacing import FILE

_NO_NETWORK = (
    "this process has no network, as its unit says (PrivateNetwork=): a drop-in allows it, see docs/install.md, "
    "gRPC over TCP"
)

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_DENIED = frozenset({errno.EACCES, errno.EPERM})


def check_addresses(config: Config) -> None:
    """Raises ListenError where the daemon cannot listen on an address that it is told."""
    for listener in config.listen:
        if listener.socket is None:
            _check_port(listener.address)
        else:
            _check_path(listener.socket, config.data)


def _check_port(address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, place in found:
            with socket.socket(family, kind, protocol) as trial:
                # As gRPC does: connections of an earlier daemon that are ending do not matter.
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind(place)
    except OSError as error:
        if error.errno == errno.EAFNOSUPPORT:
            raise ListenError(f"cannot listen on {address}: {_NO_NETWORK}") from None
        why = (error.strerror or str(error)).lower()
        raise ListenError(f"cannot listen on {address}: {why}: choose another address (--listen)") from None


def _check_path(path: Path, data: Path) -> None:
    # The data folder is made. Not Path's own exists, which raises where a folder may not be looked into.
    if path.parent != data and not os.path.isdir(path.parent):
        raise ListenError(
            f"the folder {path.parent} of the socket is not there: make it (systemd does by RuntimeDirectory=), or "
            "choose another socket (--listen)"
        )
    if path.parent != data and not os.access(path.parent, os.W_OK | os.X_OK, effective_ids=True):
        raise ListenError(_denied(path.parent))
    if os.path.exists(path) and not path.is_socket():
        raise ListenError(f"{path} is no socket and in the way of one: move it, or choose another (--listen)")


def explain(error: Exception, data: Path) -> str:
    """Returns what was met while a data folder was opened, and what to do, in one line."""
    return " ".join(_explain(error, data).split())


def _explain(error: Exception, data: Path) -> str:
    file = data / FILE
    if isinstance(error, HeldError):
        return f"{error}; stop that one first, or choose another folder (--data)"
    if isinstance(error, TocsinError):
        return _full(data) if is_full(data) else f"{file}: {error.message}"
    if isinstance(error, sqlite3.Error):
        return _of_sqlite(error, data, file)
    # These say themselves what to do.
    if isinstance(error, OSError) and not isinstance(error, ListenError | CopyError):
        return _of_the_system(error, data)
    return str(error)


def _of_sqlite(error: sqlite3.Error, data: Path, file: Path) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return (
            f"{file}: the file is damaged ({error}): restore a backup (tocsin restore), which keeps this one aside; "
            "and see whether the disk is sound"
        )
    if code == sqlite3.SQLITE_FULL or (code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and is_full(data)):
        return _full(data)
    if code == sqlite3.SQLITE_BUSY:
        return f"{file}: another program is writing to it ({error}): end that one, such as a sqlite3 shell"
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        for path in (data, *sorted(data.glob(f"{FILE}*"))):
            if not os.access(path, os.R_OK | os.W_OK, effective_ids=True):
                return _denied(path)
    return f"{file}: the file cannot be used: {error}"


def _of_the_system(error: OSError, data: Path) -> str:
    path = Path(os.fsdecode(error.filename)) if error.filename else data
    if error.errno in _FULL:
        return _full(data)
    if error.errno == errno.EROFS:
        return _read_only(path)
    if error.errno in _DENIED:
        return _denied(path)
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return f"{path}: a file is where the data folder should be: move it, or choose another folder (--data)"
    return f"{path}: {error.strerror or error}"


def _full(data: Path) -> str:
    return f"{data}: the disk is full: make room and start again; what was taken is still there"


def _read_only(path: Path) -> str:
    return (
        f"{path}: the disk is read-only: mount it for writing and start again (where it became so by itself, it may be "
        "failing: dmesg says why)"
    )


def _denied(path: Path) -> str:
    """Why this user may not read and write there: it is another's, the mode forbids it, or the disk is read-only."""
    while not os.path.exists(path) and path != path.parent:
        path = path.parent
    try:
        found = path.stat()
        if os.statvfs(path).f_flag & os.ST_RDONLY:
            return _read_only(path)
    except OSError as error:
        return f"{path}: {error.strerror}: what leads there must be open to {_user(os.geteuid())}"
    return (
        f"{path}: {_user(os.geteuid())} may not write there: it belongs to {_user(found.st_uid)}, with mode "
        f"{stat.S_IMODE(found.st_mode):04o}; give it to who runs the daemon (chown), or run it as who it belongs to"
    )


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
