"""`tocsin-gateway`: see command.py. What takes time to load is loaded once a signal ends it no more."""

import signal


def main() -> None:
    """Serves until it is told to stop."""
    # Until gunicorn takes it: unhandled, SIGHUP ends a process. Not SIG_IGN, which children would inherit.
    early: list[int] = []
    signal.signal(signal.SIGHUP, lambda number, _: early.append(number))

    from tocsin_gateway import command

    command.serve(early)


if __name__ == "__main__":
    main()
