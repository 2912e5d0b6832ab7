"""Prints the package's copyright file: our own licence, and that of every Python package that is included.

It is run by the environment that goes into the package, and reads what that has; a package without any word on its
licence stops the build.
"""

import sys
from importlib import metadata
from typing import Final

HEAD: Final = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: tocsin
Comment: Python packages that Tocsin needs are included as their authors publish them. The texts of their licences,
 with the names of their authors, lie in the *.dist-info folder of each.

Files: *
Copyright: the Tocsin authors
License: Apache-2.0
"""

OURS: Final = """
License: Apache-2.0
 On Debian systems the text of the Apache License 2.0 is in /usr/share/common-licenses/Apache-2.0.
"""


def licence(distribution: metadata.Distribution) -> str:
    """What a package says of its licence, by the field that it says it in (core metadata 2.4 and before)."""
    about = distribution.metadata
    classifiers = [line.rpartition(" :: ")[2] for line in about.get_all("Classifier") or [] if line.startswith("Licen")]
    first = (about.get("License") or "").strip().splitlines()
    for said in (about.get("License-Expression"), ", ".join(classifiers), first[0] if first else None):
        if said:
            return str(said)
    sys.exit(f"{about['Name']} does not say what its licence is")


def main() -> None:
    """Prints it."""
    print(HEAD, end="")
    for distribution in sorted(metadata.distributions(), key=lambda each: each.metadata["Name"].lower()):
        name = distribution.metadata["Name"]
        if name != "tocsin":
            folder = "usr/lib/tocsin/" + str(distribution.locate_file("")).partition("/usr/lib/tocsin/")[2]
            # The first part of each path; what is above this folder are programs, which the package leaves out.
            places = sorted({file.parts[0] for file in distribution.files or []} - {"..", "__pycache__"})
            print("\nFiles:", "\n ".join(f"{folder}/{place}*" for place in places))
            print(f"Copyright: the authors of {name} {distribution.version}")
            print(f"License: {licence(distribution)}")
    print(OURS, end="")


if __name__ == "__main__":
    main()
