"""`tocsind`: see config.py for its flags. Exit status 0 after a stop by signal, 1 where it could not start or
broke, 2 for wrong usage."""

import signal
import sys


def main() -> int:
    """Runs the daemon until SIGTERM or SIGINT; returns the exit status. SIGHUP has it read its configuration again."""
    return _run(_early_reloads())


def _early_reloads() -> list[int]:
    """Notes the SIGHUPs that come before there is somebody to reload: returns where."""
    # Unhandled, SIGHUP ends a process, and systemd takes that for an end in peace, after which it starts none. Not
    # SIG_IGN, which children would inherit.
    early: list[int] = []
    signal.signal(signal.SIGHUP, lambda number, _: early.append(number))
    return early


def _run(early: list[int]) -> int:
    # Only now: importing all of the daemon takes more than half a second, in which SIGHUP would end it.
    import sqlite3

    from tocsind import config, log, surroundings
    from tocsind.clock import SystemClock
    from tocsind.domain.errors import TocsinError
    from tocsind.main import Main
    from tocsind.rpc.server import ListenError
    from tocsind.sqlite.lock import HeldError
    from tocsind.sqlite.migrate import NewerFileError
    from tocsind.systemd import ServiceManager

    settings = config.parse(sys.argv[1:])
    log.configure(settings.log_level)
    try:
        surroundings.check_addresses(settings)
        daemon = Main(settings)
    except (HeldError, NewerFileError, ListenError, TocsinError, OSError, sqlite3.Error) as error:
        line = surroundings.explain(error, settings.data)
        print(f"tocsind: {line}", file=sys.stderr)
        # systemd tries again, and shows this meanwhile, and no line of the log.
        ServiceManager(SystemClock()).tell(f"STATUS=did not start: {line}")
        return 1
    signal.set_wakeup_fd(daemon.wakeup_fd, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: daemon.stop())
    signal.signal(signal.SIGHUP, lambda *_: daemon.reload())
    if early:
        daemon.reload()
    return daemon.run()


if __name__ == "__main__":
    sys.exit(main())
