"""The file that holds the gateway's token. No gRPC is needed for it: the process above the workers reads it too."""

from pathlib import Path


def read(path: Path) -> str:
    """Returns the token. Raises OSError where the file cannot be read, ValueError where it holds none."""
    token = path.read_text("ascii", "replace").strip()
    if not token or not token.isprintable() or not token.isascii() or " " in token:
        raise ValueError(f"{path} does not hold a token")
    return token
