"""`make install` and `make uninstall`, killed and run again."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from guest_tools import (
    CONFIGURATION,
    DATA,
    SERVICES,
    Load,
    active,
    ask,
    check,
    configure,
    main_pid,
    mode,
    post,
    ready,
    run,
    titles,
    until,
)


def install(**environment: str) -> subprocess.Popen[str]:
    """Begins `make install`, from the wheels that are there."""
    wheels = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels", "PYTHON": "/usr/bin/python3"}
    return subprocess.Popen(
        ["/tree/systemd/install.sh"],
        env=os.environ | wheels | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        process_group=0,
    )


def finished(installation: subprocess.Popen[str]) -> str:
    """Waits for it; returns what it said."""
    said, _ = installation.communicate()
    assert installation.returncode == 0, said
    return said


def killed_once(installation: subprocess.Popen[str], seen: Callable[[], Any], what: str) -> None:
    """Kills it, and all that it runs, once something is seen."""
    until(lambda: seen() or installation.poll() is not None, what)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(installation.pid, signal.SIGKILL)
    said, _ = installation.communicate()
    assert installation.returncode == -signal.SIGKILL, f"it ended before it could be killed:\n{said}"


VERSIONS: Final = Path("/opt/tocsin/versions")


@check
def make_install_killed_and_run_again() -> None:
    """An installation that was killed is finished by running it again; it starts nothing, and says how to."""
    killed_once(
        install(), lambda: list(VERSIONS.glob("*/lib/python3*/site-packages/grpc")), "packages are put in place"
    )
    assert not Path("/etc/systemd/system/tocsind.service").exists()
    said = finished(install())
    assert "systemctl enable --now" in said
    assert not active("tocsind.service")
    assert len(list(VERSIONS.iterdir())) == 1, "what the first left is still there"
    assert mode(CONFIGURATION) == "644 root:root"
    assert mode("/etc/tocsin") == "755 root:root"
    assert mode(DATA) == "700 tocsin:tocsin"
    run("/usr/local/bin/tocsin", "config", "check")
    run(*next(line for line in said.splitlines() if "systemctl enable --now tocsin-courier" in line).split())
    until(lambda: active(*SERVICES), "the services run")
    until(ready, "it is ready")
    configure(("rate_limit", "0"), ("total_rate_limit", "0"))
    run("systemctl", "restart", "tocsind.service")
    until(ready, "it is ready")


@check
def make_install_over_the_running_one() -> None:
    """An upgrade, killed and run again, leaves the running version its files until the restart that it names; senders
    notice nothing, and what is no longer needed goes with the next."""
    assert post("before-upgrade") == 200
    configured, first = CONFIGURATION.read_text(), Path("/opt/tocsin/current").resolve()
    pid = main_pid()
    with Load("make-install") as load:
        half = install()
        killed_once(half, lambda: len(list(VERSIONS.glob("*/bin/tocsind"))) > 1, "the new version is there")
        assert Path("/opt/tocsin/current").resolve() == first
        said = finished(install())
        assert main_pid() == pid
        assert first.exists()
        assert Path("/opt/tocsin/current").resolve() != first
        run(*next(line for line in said.splitlines() if "systemctl restart" in line).split())
        until(ready, "it is ready")
    assert set(load.counts) <= {200, 503}, load.counts
    assert main_pid() != pid
    assert CONFIGURATION.read_text() == configured
    assert any("before-upgrade" in title for title in titles())
    assert len(list(VERSIONS.iterdir())) == 2


@check
def package_refuses_beside_make_install() -> None:
    """The package is not installed over it."""
    assert "make uninstall" in run("dpkg", "--install", "/packages/new.deb", ok=False)
    run("dpkg", "--purge", "--force-all", "tocsin")
    assert active(*SERVICES)


@check
def purge_of_a_package_that_was_removed_before_spares_it() -> None:
    """What purging a package runs, long after `make install` took over: the data is not the package's any more."""
    run("sh", "/tree/systemd/debian/postrm", "purge")
    assert (DATA / "tocsin.db").exists()
    assert active(*SERVICES)


@check
def make_uninstall_keeps_the_data() -> None:
    """Uninstalling takes away the program and its units, and says what it kept."""
    said = run("/tree/systemd/uninstall.sh")
    assert "/var/lib/tocsin" in said
    assert (DATA / "tocsin.db").exists()
    assert CONFIGURATION.exists()
    assert not Path("/opt/tocsin").exists()
    assert not list(Path("/etc/systemd/system").glob("tocsin*.service"))[1:], "units are left"
    assert ask("GET", "/-/ready") == 0


@check
def package_takes_over_again() -> None:
    """The package, removed; `make install`, uninstalled; and the package again, which starts what it installs."""
    run("dpkg", "--force-confold", "--install", "/packages/new.deb")
    until(ready, "it is ready")
    run("dpkg", "--remove", "tocsin")
    finished(install())
    run("/tree/systemd/uninstall.sh")
    run("dpkg", "--force-confold", "--install", "/packages/new.deb")
    until(lambda: active(*SERVICES), "the services run")
    until(ready, "it is ready")
