"""Writes docs/configuration.md from the table of settings, proto/tocsin/settings.py.

`python docs/write_configuration.py > docs/configuration.md`, or `make docs`. A test fails while that page says anything
but what this prints. It stands beside the page, not in a package, because nothing that is installed needs it.
"""

import textwrap
from collections.abc import Iterator

from tocsin.configuration import CONFIG_VARIABLE
from tocsin.settings import SECTIONS, Setting, of_section

_INTRODUCTION = f"""\
# Configuration

<!-- Written by `python docs/write_configuration.py > docs/configuration.md` from proto/tocsin/settings.py. Change
that. -->

One file for both processes, TOML, with a section for each: `/etc/tocsin/tocsin.toml` in an [installation](install.md),
where every setting stands with its default, commented out. `tocsin config example` prints such a file.

```toml
[daemon]
external_url = "https://alerts.example"
webhook_networks = ["10.0.0.0/8"]

[gateway]
log_level = "debug"
```

```console
$ sudo tocsin config check
$ sudo systemctl reload tocsind tocsin-gateway
```

- **What overrides what**: a flag overrides a variable of the environment, that overrides the file, that the default. A
  list is overridden as a whole.
- **Which file**: the one that `--config` or `{CONFIG_VARIABLE}` names, and no other. The units name
  `/etc/tocsin/tocsin.toml`.
- **Mistakes**: what the table below does not know, or what has a wrong value, stops the start with one line that names
  file, line and key, and the setting that may have been meant. `tocsin config check` prints all of them at once. It
  looks at the text alone: not whether a file that is named exists.
- **Flags** that take a list are given once for each item, those without a value are switched on by being there. In a
  variable, items of a list are separated by spaces, and a switch is `true` or `false`. An empty variable says nothing.
- **Secrets** do not stand in it: settings name [files that hold them](install.md#secrets). In an installation it
  belongs to root, and whoever is on the machine may read it.

## Reload or restart

`systemctl reload tocsind tocsin-gateway` has both read the file again, and take what says below that a reload does.
What else was changed waits for the next restart; the log names both ("reloaded", and "changed in the configuration, but
taken by a restart only"). With a mistake in the file the reload fails, nothing changes, and the journal has a line for
each mistake.

A restart loses no request either. While the gateway restarts, the kernel keeps what arrives, as its socket is
systemd's; while the daemon restarts, the gateway keeps requests for up to 5 seconds and hands them to the next one.

Neither is needed for what is kept in the daemon's file - integrations, routes, chains, contact points, tokens - nor for
certificates of the daemon that are renewed where they lie, as they are looked at before each handshake; a reload of the
gateway takes what its files for TLS hold by then. [Those that systemd hands over](install.md#secrets) take a restart.
"""

_PROCESSES = {"daemon": "tocsind", "gateway": "tocsin-gateway"}


_WIDTH = 120


def page() -> str:
    """Returns the whole of docs/configuration.md."""
    lines = [_INTRODUCTION.rstrip("\n")]
    for section in SECTIONS:
        lines += ["", f"## [{section}]", "", f"Read by `{_PROCESSES[section]}`."]
        for setting in of_section(section):
            lines += _section(setting)
    return "\n".join(lines) + "\n"


def _section(setting: Setting) -> Iterator[str]:
    yield from ("", f"### {setting.section}.{setting.key}", "", *textwrap.wrap(f"{setting.help}.", _WIDTH), "")
    yield f"- Default: {_default(setting)}"
    yield f"- Flag: `{setting.option}{f' {setting.kind.shape}' if setting.kind.shape else ''}`"
    yield f"- Variable: `{setting.name_in_environment}`"
    yield f"- Takes effect: {'by a reload' if setting.reloads else 'by a restart'}"


def _default(setting: Setting) -> str:
    default = setting.default
    if default is None or default == ():
        return "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    return f'`"{default}"`' if isinstance(default, str) else f"`{default}`"


if __name__ == "__main__":
    print(page(), end="")
