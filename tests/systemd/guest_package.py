"""The package as it is upgraded, removed and purged."""

import contextlib
import os
import signal
import sqlite3
import subprocess
from pathlib import Path

from guest_tools import (
    BACKUPS,
    CONFIGURATION,
    DATA,
    Load,
    active,
    check,
    groups,
    main_pid,
    mode,
    post,
    ready,
    run,
    titles,
    until,
)


@check
def killed_upgrade_is_finished_by_another() -> None:
    """An upgrade that was killed while it unpacked leaves what runs alone, and is finished by running it again."""
    kept, pid = titles(), main_pid()
    upgrade = subprocess.Popen(["dpkg", "--install", "/packages/new.deb"], stdout=subprocess.DEVNULL, process_group=0)
    until(lambda: any(Path("/usr/lib/tocsin/bin").glob("*.dpkg-new")) or upgrade.poll() is not None, "it unpacks")
    os.killpg(upgrade.pid, signal.SIGKILL)
    assert upgrade.wait() == -signal.SIGKILL, "it was over before it could be killed"
    assert main_pid() == pid
    assert post("half-upgraded") == 200
    run("dpkg", "--install", "/packages/old.deb")
    until(ready, "it is ready")
    assert kept <= titles()


@check
def upgrade_keeps_everything() -> None:
    """A later package over the running one, under load: data and configuration stay, senders hear 200, at worst 503."""
    kept, configured, pid = titles(), CONFIGURATION.read_text(), main_pid()
    with Load("upgrade") as load:
        run("dpkg", "--install", "/packages/new.deb")
        until(ready, "it is ready")
    assert set(load.counts) <= {200, 503}, load.counts
    assert load.counts.get(503, 0) <= len(load.statuses) / 100, load.counts
    assert main_pid() != pid
    assert run("dpkg-query", "--show", "--showformat=${Version}", "tocsin").endswith("+later")
    assert kept <= titles()
    assert CONFIGURATION.read_text() == configured
    assert mode(CONFIGURATION) == "644 root:root"


@check
def upgrade_with_a_mistake_in_the_configuration_leaves_what_runs() -> None:
    """Where the new version does not take the configuration, nothing is restarted into it, and it says so."""
    configured, pid = CONFIGURATION.read_text(), main_pid()
    CONFIGURATION.write_text(f"{configured}\n[daemom]\n")
    try:
        said = run("dpkg", "--install", "/packages/new.deb")
        assert "was not restarted" in said
        assert main_pid() == pid
        assert post("configuration-with-a-mistake") == 200
    finally:
        CONFIGURATION.write_text(configured)
    run("systemctl", "restart", "tocsind.service", "tocsin-courier.service", "tocsin-gateway.service")
    until(ready, "it is ready")


@check
def removal_keeps_the_data() -> None:
    """Removing the package keeps data and configuration; installing it again goes on with both, and with backups."""
    kept = titles()
    run("systemctl", "enable", "--now", "tocsin-backup.timer")
    said = run("dpkg", "--remove", "tocsin")
    assert "/var/lib/tocsin" in said
    assert not active("tocsind.service")
    assert (DATA / "tocsin.db").exists()
    assert CONFIGURATION.exists()
    assert not list(Path("/usr/lib/tocsin").rglob("*")), "something is left of the program"
    run("dpkg", "--install", "/packages/new.deb")
    until(ready, "it is ready")
    assert active("tocsin-backup.timer")
    assert kept <= titles()


@check
def file_of_an_earlier_version_is_backed_up_and_migrated() -> None:
    """A package that meets the file of a version before backs it up, beside it, before it is changed."""
    run("systemctl", "stop", "tocsind.service")
    for file in DATA.glob("tocsin.db*"):
        file.unlink()
    with contextlib.closing(sqlite3.connect(DATA / "tocsin.db")) as connection:
        connection.executescript(Path("/tree/tests/daemon/sqlite/old_files/0001.sql").read_text())
    run("sh", "-c", f"chown tocsin:tocsin {DATA}/tocsin.db*")
    run("systemctl", "start", "tocsind.service")
    until(ready, "it is ready")
    (kept,) = (DATA / "backups").glob("before-*.db")
    assert mode(kept) == "600 tocsin:tocsin"
    assert groups(), "what was in the file is there"


@check
def make_install_refuses_beside_the_package() -> None:
    """Two installations would be one too many: `make install` says so, and changes nothing."""
    assert "installed as a package" in run("/tree/systemd/install.sh", ok=False)
    assert not Path("/opt/tocsin").exists()


@check
def purge_removes_the_data_and_keeps_backups() -> None:
    """Only purging removes the data; backups stay, and it says so."""
    said = run("dpkg", "--purge", "tocsin")
    assert "/var/backups/tocsin" in said
    assert not DATA.exists()
    assert not CONFIGURATION.exists()
    assert list(BACKUPS.glob("*.db"))
    assert not list(Path("/etc/systemd/system").glob("*.wants/tocsin*")), "a link is left"
