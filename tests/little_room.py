"""Programs for which the disk seems full: a write beyond a size fails, as it does where there is no room."""


def little_room(size: int) -> list[str]:
    """What to put before a command whose files may have so many bytes, rounded down to 512.

    Not a function that subprocess calls between fork and exec: gRPC, where it is loaded, may write a line there.
    """
    return ["sh", "-c", f'ulimit -S -f {size // 512} && exec "$@"', "sh"]
