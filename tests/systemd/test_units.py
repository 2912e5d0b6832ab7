"""The units as systemd's own tools see them, the configuration and the lock that come with them."""

import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tocsin import configuration
from tocsin.settings import SETTINGS, of_section

SYSTEMD = Path(__file__).parents[2] / "systemd"
PROGRAMS = ("tocsind", "tocsin-gateway", "tocsin-courier", "tocsin")
PROJECT = tomllib.loads((SYSTEMD.parent / "pyproject.toml").read_text())["project"]
UNITS = sorted(path.name for kind in ("service", "socket", "timer") for path in SYSTEMD.glob(f"*.{kind}"))

# What the units name and every system has. Their content does not matter here.
NEIGHBOURS = (
    *("sysinit", "basic", "shutdown", "multi-user", "sockets", "timers", "network", "nss-lookup", "paths", "slices"),
    *("time-set", "time-sync", "local-fs", "local-fs-pre", "umount"),
)


@pytest.fixture
def staging(tmp_path: Path) -> Path:
    """A root in which Tocsin is installed, as far as systemd's tools look."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("there is no systemd-analyze here to ask about the units")
    units = tmp_path / "etc/systemd/system"
    programs = tmp_path / "opt/tocsin/current/bin"
    for folder in (units, programs, tmp_path / "bin"):
        folder.mkdir(parents=True)
    for program in (*(programs / name for name in PROGRAMS), tmp_path / "bin/kill"):
        program.write_text("#!/bin/true\n")
        program.chmod(0o755)
    for target in NEIGHBOURS:
        (units / f"{target}.target").write_text("[Unit]\nDescription=Of every system\n")
    for name in UNITS:
        (units / name).write_text((SYSTEMD / name).read_text().replace("@venv@", "/opt/tocsin/current"))
    return tmp_path


def verify(root: Path, unit: str) -> subprocess.CompletedProcess[str]:
    """What `systemd-analyze verify` says; with these flags its status says whether something is wrong."""
    command = ["systemd-analyze", "verify", f"--root={root}", "--man=no", "--recursive-errors=no", unit]
    return subprocess.run(command, capture_output=True, text=True)


def exposure(root: Path, unit: str, most: float) -> subprocess.CompletedProcess[str]:
    """What `systemd-analyze security` says; it fails above `most`, 0 to 10."""
    threshold = f"--threshold={round(most * 10)}"
    command = ["systemd-analyze", "security", "--offline=true", f"--root={root}", threshold, unit]
    return subprocess.run(command, capture_output=True, text=True)


def add(root: Path, unit: str, example: str) -> None:
    """Puts an example's drop-in where its first lines say."""
    folder = root / "etc/systemd/system" / f"{unit}.d"
    folder.mkdir()
    shutil.copy(SYSTEMD / "examples" / example, folder / "tcp.conf")


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_finds_nothing_wrong(staging: Path, unit: str) -> None:
    """Each unit is free of anything that systemd would warn of."""
    found = verify(staging, unit)

    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.parametrize("broken", ["ProtectSystme=strict", "SystemCallFilter=@nobody-knows", "WatchdogSec=often"])
def test_what_is_wrong_would_be_found(staging: Path, broken: str) -> None:
    """A mistake in a unit makes the check fail."""
    file = staging / "etc/systemd/system/tocsind.service"
    file.write_text(file.read_text().replace("\nPrivateTmp=yes\n", f"\n{broken}\n"))

    assert verify(staging, "tocsind.service").stderr


@pytest.mark.parametrize(
    ("unit", "most"),
    [
        ("tocsind.service", 1.0),
        ("tocsin-backup.service", 1.0),
        ("tocsin-gateway.service", 2.0),
        ("tocsin-courier.service", 2.0),
    ],
)
def test_exposure_is_small(staging: Path, unit: str, most: float) -> None:
    """What holds the data has next to nothing that it could do beyond that, and what faces the network little."""
    found = exposure(staging, unit, most)

    assert found.returncode == 0, found.stdout
    assert exposure(staging, unit, 0).returncode != 0, "the threshold holds nobody to anything"


@pytest.mark.parametrize(
    ("unit", "example", "most"),
    [
        ("tocsind.service", "tocsind-tcp.conf", 2.0),
        ("tocsin-gateway.service", "tocsin-gateway-tcp.conf", 2.0),
    ],
)
def test_examples_are_sound(staging: Path, unit: str, example: str, most: float) -> None:
    """The drop-ins for TCP are understood, and open no more than they must."""
    add(staging, unit, example)

    found = verify(staging, unit)
    assert (found.returncode, found.stderr) == (0, "")
    assert exposure(staging, unit, most).returncode == 0


def test_each_unit_is_hardened_alike() -> None:
    """What every service has to have stands in each: none was forgotten when a setting was added to one."""
    services = [SYSTEMD / name for name in UNITS if name.endswith(".service")]
    of_each = [set(re.findall(r"^(?:Protect|Private|Restrict|Lock|Memory|NoNew|System)\w+=", service.read_text(), re.M))
               for service in services]  # fmt: skip
    everywhere = set.intersection(*of_each)

    assert set.union(*of_each) - everywhere == {"PrivateNetwork="}
    assert len(everywhere) > 15


def packaged() -> str:
    """The configuration that an installation gets."""
    command = [sys.executable, SYSTEMD / "configuration.py"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_packaged_configuration_sets_what_units_need() -> None:
    """It has no mistake, shows every setting, and sets only where the daemon listens, for people and for the
    gateway."""
    text = packaged()
    found, wrong = configuration.read_text(text, "tocsin.toml")

    assert wrong == []
    target = "unix:/run/tocsin-gateway/daemon.sock"
    (usual,) = (each.default for each in of_section("gateway") if each.key == "target")
    assert found == {("daemon", "listen"): (usual, f"{target},role=gateway"), ("gateway", "target"): target}
    for setting in SETTINGS:
        assert re.search(rf"^#?{setting.key} = ", text, re.MULTILINE), setting.key


def test_credentials_in_the_configuration_are_those_of_the_units() -> None:
    """Each path below /run/credentials that it shows is one that a unit, or its example, hands over."""
    shown = re.findall(r'"/run/credentials/([\w.-]+)/([\w-]+)"', packaged())

    assert len(shown) >= 3
    for unit, credential in shown:
        assert f"LoadCredential={credential}:" in (SYSTEMD / unit).read_text(), (unit, credential)


def locked(name: str) -> dict[str, tuple[str, int]]:
    """The versions in a lock file, and how many digests each has."""
    found = {}
    for entry in re.split(r"^(?=[a-z])", (SYSTEMD / name).read_text(), flags=re.MULTILINE)[1:]:
        project, _, version = entry.split()[0].partition("==")
        found[canonicalize_name(project)] = (version, len(re.findall(r"--hash=sha256:[0-9a-f]{64}", entry)))
    return found


def test_lock_has_all_that_tocsin_needs() -> None:
    """Everything down to the last dependency is pinned with a digest, in a version that whoever needs it takes."""
    lock = locked("requirements.lock")
    waiting, seen = ["tocsin"], set()
    while waiting:
        project = canonicalize_name(waiting.pop())
        if project in seen:
            continue
        seen.add(project)
        for text in PROJECT["dependencies"] if project == "tocsin" else metadata.requires(project) or []:
            requirement = Requirement(text)
            if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
                continue
            name = canonicalize_name(requirement.name)
            assert name in lock, f"{project} needs {name}: make lock"
            assert requirement.specifier.contains(lock[name][0]), f"{project} needs {requirement}: make lock"
            waiting.append(name)

    assert seen - {"tocsin"} == set(lock), "what nobody needs is in the lock"
    assert all(digests for _, digests in (lock | locked("build.lock")).values())


def test_lock_serves_several_pythons_and_machines() -> None:
    """What is compiled has a digest for each Python from 3.11 on, on x86_64 and aarch64."""
    lock = locked("requirements.lock")

    assert lock["grpcio"][1] >= 8
    assert lock["msgspec"][1] >= 8


def test_no_host_of_a_registry_is_named() -> None:
    """Where packages come from is the operator's pip's business, and is in none of the files."""
    for file in SYSTEMD.rglob("*"):
        if file.is_file() and not file.name.endswith(".pyc"):
            assert not re.search(r"pypi|index-url|files\.pythonhosted", file.read_text()), file


def test_wheel_is_built_by_what_pyproject_asks_for() -> None:
    """The lock of builders has the build backend."""
    project = tomllib.loads((SYSTEMD.parent / "pyproject.toml").read_text())
    for text in project["build-system"]["requires"]:
        requirement = Requirement(text)
        assert requirement.specifier.contains(locked("build.lock")[canonicalize_name(requirement.name)][0])


def test_shells_can_read_the_scripts() -> None:
    """The scripts are whole for the shell that runs them."""
    for script in (*SYSTEMD.glob("*.sh"), SYSTEMD / "debian/build.sh"):
        subprocess.run(["bash", "-n", script], check=True)
    for script in ("preinst", "postinst", "prerm", "postrm"):
        subprocess.run(["sh", "-n", SYSTEMD / "debian" / script], check=True)
