# Sourced by install.sh and debian/build.sh: how the program is put into a folder of its own.
#
# What is taken is pinned by digest, what builds the wheel included (requirements.lock, build.lock). Where it comes from
# is pip's own configuration: an index, or a folder of wheels (PIP_NO_INDEX=1 PIP_FIND_LINKS=DIR).

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
quietly=(--quiet --disable-pip-version-check --no-input)

# stop MESSAGE: ends with one line that says what is wrong and what to do.
stop() {
    echo "$0: $*" >&2
    exit 1
}

# check_python PYTHON: it is new enough, can make environments, and is where services may read it.
check_python() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || stop "$1 is no Python 3.11 or newer; set PYTHON"
    "$1" -c 'import venv, ensurepip' 2>/dev/null || stop "$1 has no venv; on Debian: apt-get install python3-venv"
    case $("$1" -c 'import os, sys; print(os.path.realpath(sys.executable))') in
        /root/* | /home/* | /run/user/*)
            stop "$1 lies in a home folder, which services cannot read (ProtectHome=); set PYTHON=/usr/bin/python3" ;;
    esac
}

# make_tools DIR PYTHON: an environment with pip and what builds wheels, and in DIR/wheel the wheel of this tree.
make_tools() {
    "$2" -m venv "$1"
    "$1/bin/python" -m pip install "${quietly[@]}" --no-deps --require-hashes -r "$repository/systemd/build.lock"
    "$1/bin/python" -m pip wheel "${quietly[@]}" --no-deps --no-build-isolation --wheel-dir "$1/wheel" "$repository"
}

# fill DIR PYTHON TOOLS [OPTION...]: an environment in DIR with the program and all that it needs, and nothing else: no
# pip. The options are pip's.
fill() {
    local dir=$1 python=$2 tools=$3
    shift 3
    "$python" -m venv --without-pip "$dir"
    local pip=("$tools/bin/python" -m pip --python "$dir/bin/python")
    # --no-deps: the lock has everything, and what it has not must not come in by a side door. `pip check` says whether
    # that is so.
    "${pip[@]}" install "${quietly[@]}" "$@" --no-deps --require-hashes --only-binary :all: \
        -r "$repository/systemd/requirements.lock"
    "${pip[@]}" install "${quietly[@]}" "$@" --no-deps "$tools"/wheel/tocsin-*.whl
    "${pip[@]}" check >&2
    # The courier is `python -m tocsind.courier`. As a program with the folder's own name in its first line it goes on
    # with the version that it began with, even if a link to that folder is switched meanwhile.
    cat >"$dir/bin/tocsin-courier" <<EOF
#!$dir/bin/python
import runpy

runpy.run_module("tocsind.courier", run_name="__main__", alter_sys=True)
EOF
    chmod 755 "$dir/bin/tocsin-courier"
    rm -f "$dir"/bin/[Aa]ctivate*
}

# units DIR VENV: the units, with the program in VENV.
units() {
    local unit
    mkdir -p "$1"
    for unit in "$repository"/systemd/*.service "$repository"/systemd/*.socket "$repository"/systemd/*.timer; do
        # Renamed into place: a unit that is half written must not be what the next boot reads.
        sed "s|@venv@|$2|g" "$unit" >"$1/.${unit##*/}.new"
        chmod 644 "$1/.${unit##*/}.new"
        mv -f "$1/.${unit##*/}.new" "$1/${unit##*/}"
    done
}
