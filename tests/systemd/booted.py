"""`make test-systemd`: a minimal Debian 12, booted, with the package installed in it, and hurt (guest.py says how).

Rules
- Root, debootstrap and systemd-nspawn are needed; `--can` says in a line what is missing, with exit status 1.
- What takes long is kept between runs, in TOCSIN_TEST_CACHE (/var/tmp/tocsin-test): the root, made once and never
  written to (the container's writes go to memory), and the wheels that the locks name.
- The container has no network, no link to the host but the folders named below, and a PID namespace of its own, which
  takes everything with it that ran inside. Its control groups are removed whatever happens.
- build/test-systemd.json says what passed. The exit status is 0 only if everything did.
"""

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
REPOSITORY: Final = HERE.parents[1]
SYSTEMD: Final = REPOSITORY / "systemd"
BUILD: Final = REPOSITORY / "build"
CACHE: Final = Path(os.environ.get("TOCSIN_TEST_CACHE", "/var/tmp/tocsin-test"))

SUITE: Final = "bookworm"
PACKAGES: Final = "systemd,systemd-sysv,dbus,python3,python3-venv,procps,iproute2,curl,ca-certificates"
PYTHON: Final = "/usr/bin/python3"

PATIENCE: Final = 300
"""Seconds for all that goes on inside; it takes one or two minutes."""

_UNIT: Final = """\
[Unit]
After=multi-user.target
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
ExecStart=/usr/bin/python3 -B /checks/guest.py
StandardOutput=journal+console
StandardError=journal+console
TimeoutStartSec=infinity
"""


def missing() -> str | None:
    """What keeps this machine from running it, or None."""
    if os.geteuid() != 0:
        return "it needs root"
    for program in ("systemd-nspawn", "debootstrap", "dpkg-deb", "lintian", "strip", "prometheus-alertmanager"):
        if shutil.which(program) is None:
            return f"there is no {program}"
    script = "import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 11))"
    if not Path(PYTHON).exists() or subprocess.run([PYTHON, "-c", script], stderr=subprocess.DEVNULL).returncode:
        return f"the package is built with this machine's {PYTHON}, which must be 3.11 with venv, as in Debian 12"
    if subprocess.run(["unshare", "--pid", "--fork", "--mount", "true"], stderr=subprocess.DEVNULL).returncode:
        return "namespaces cannot be made"
    if not os.access("/sys/fs/cgroup", os.W_OK):
        return "control groups cannot be made"
    return None


def run(*command: str | Path, **options: object) -> None:
    """Runs a command that must succeed."""
    subprocess.run([str(part) for part in command], check=True, **options)  # type: ignore[call-overload]


@contextmanager
def cache() -> Iterator[None]:
    """Holds the cache: one run at a time may boot a root."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def root() -> Path:
    """The root, which TOCSIN_ROOTFS may name, or that of the cache, made if need be."""
    if named := os.environ.get("TOCSIN_ROOTFS"):
        return Path(named)
    place = CACHE / SUITE
    if not place.exists():
        shutil.rmtree(CACHE / "new", ignore_errors=True)
        run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, CACHE / "new", stdout=sys.stderr)
        (CACHE / "new").rename(place)
    return place


def wheels() -> Path:
    """A folder with all that the locks name, for this machine's Python."""
    locks = [SYSTEMD / name for name in ("requirements.lock", "build.lock")]
    digest = hashlib.sha256(b"".join(lock.read_bytes() for lock in locks)).hexdigest()[:16]
    place = CACHE / f"wheels-{digest}"
    if not place.exists():
        shutil.rmtree(CACHE / "new-wheels", ignore_errors=True)
        with tempfile.TemporaryDirectory() as folder:
            run(PYTHON, "-m", "venv", folder)
            pip = (f"{folder}/bin/python", "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes")
            for lock in locks:
                run(*pip, "--only-binary=:all:", "--dest", CACHE / "new-wheels", "-r", lock, stderr=subprocess.DEVNULL)
        (CACHE / "new-wheels").rename(place)
    return place


def packages(folder: Path, environment: Mapping[str, str]) -> Path:
    """Builds the package and one of a later version with the same content, as old.deb and new.deb; returns what was
    built."""
    run(SYSTEMD / "debian" / "build.sh", folder / "built", env=environment, stdout=sys.stderr)
    (built,) = (folder / "built").iterdir()
    shutil.copy(built, folder / "old.deb")
    run("dpkg-deb", "-R", built, folder / "tree")
    control = folder / "tree" / "DEBIAN" / "control"
    lines = [f"{line}+later" if line.startswith("Version:") else line for line in control.read_text().splitlines()]
    control.write_text("\n".join(lines) + "\n")
    run("dpkg-deb", "-Zgzip", "-z1", "--build", folder / "tree", folder / "new.deb", stdout=subprocess.DEVNULL)
    shutil.rmtree(folder / "tree")
    return built


def control_groups(name: str) -> list[Path]:
    """Where the container's control groups are: below each hierarchy that systemd uses (version 1, hybrid), or the one
    that there is (version 2)."""
    top = Path("/sys/fs/cgroup")
    return [place / name for place in (top / "systemd", top / "unified") if place.is_dir()] or [top / name]


def remove_control_groups(name: str) -> None:
    """Removes them, innermost first, once the last process in them is gone."""
    for group in control_groups(name):
        deadline = time.monotonic() + 10
        while group.exists() and time.monotonic() < deadline:
            for folder, _, _ in os.walk(group, topdown=False):
                with suppress(OSError):
                    Path(folder).rmdir()
            time.sleep(0.05)


def boot(place: Path, binds: Mapping[str, Path], result: Path) -> int:
    """Boots the root, has it run the checks, and returns their exit status."""
    name = f"tocsin-test-{os.getpid()}"
    unit = result / "tocsin-checks.service"
    unit.write_text(_UNIT)
    enter = "".join(f"mkdir -p {group} && echo 0 >{group}/cgroup.procs || exit 1\n" for group in control_groups(name))
    nspawn = ["systemd-nspawn", "--quiet", f"--directory={place}", "--volatile=overlay", "--register=no", "--keep-unit"]
    nspawn += ["--private-network", "--console=pipe", f"--machine={name}", f"--bind={result}:/result"]
    nspawn += [f"--bind-ro={source}:{target}" for target, source in binds.items()]
    nspawn += [f"--bind-ro={unit}:/etc/systemd/system/{unit.name}", "--boot"]
    nspawn += ["systemd.show_status=0", f"systemd.wants={unit.name}"]
    script = f'{enter}exec "$@" </dev/null'
    inside = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "bash", "-c", script, "boot"]
    process = subprocess.Popen([*inside, *nspawn], start_new_session=True)
    try:
        return process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        print(f"the container did not end within {PATIENCE} s", file=sys.stderr)
        return 1
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        remove_control_groups(name)


def main() -> int:
    """Runs it; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--can", action="store_true", help="only say whether this machine can run it")
    parser.add_argument("--only", nargs="+", default=[], metavar="CHECK", help="these alone; they need those before")
    wanted = parser.parse_args()
    why_not = missing()
    if why_not or wanted.can:
        print(why_not or "this machine can run it")
        return 1 if why_not else 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    began = time.monotonic()
    with cache(), tempfile.TemporaryDirectory(prefix="tocsin-test-") as name:
        folder = Path(name)
        place, found = root(), wheels()
        offline = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(found), "PIP_CONFIG_FILE": "/dev/null"}
        built = packages(folder, os.environ | offline | {"TOCSIN_DEB_XZ": "1"})
        # Beside the container: it reads for long.
        lintian = subprocess.Popen(
            ["lintian", "--fail-on", "error", str(built)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        result = folder / "result"
        result.mkdir()
        (result / "only").write_text(" ".join(wanted.only))
        binds = {
            "/checks": HERE,
            "/packages": folder,
            "/wheels": found,
            "/tree": REPOSITORY,
            # A Go program needs no library that the root does not have, but this one a template beside it.
            "/usr/bin/prometheus-alertmanager": Path(shutil.which("prometheus-alertmanager") or ""),
            "/usr/share/prometheus/alertmanager": Path("/usr/share/prometheus/alertmanager"),
        }
        try:
            status = boot(place, binds, result)
            said = lintian.communicate()[0]
        finally:
            lintian.kill()
        report = result / "result.json"
        checks = json.loads(report.read_text()) if report.exists() else {}
        checks["lintian"] = "passed" if lintian.returncode == 0 else said
        BUILD.mkdir(exist_ok=True)
        (BUILD / "test-systemd.json").write_text(json.dumps(checks, indent=1) + "\n")
        if (journal := result / "journal").exists():
            shutil.copy(journal, BUILD / "test-systemd.journal")
    for check, outcome in checks.items():
        print(f"{check}: {outcome}")
    failed = [check for check, outcome in checks.items() if outcome != "passed"]
    print(f"{len(checks) - len(failed)} of {len(checks)} passed in {time.monotonic() - began:.0f} s", end="")
    print(f"; failed: {', '.join(failed)}; build/test-systemd.journal has the rest" if failed else "")
    return 1 if status or failed or len(checks) < 2 else 0


if __name__ == "__main__":
    sys.exit(main())
