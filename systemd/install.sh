#!/usr/bin/env bash
# `make install`: Tocsin under PREFIX (/opt/tocsin), its units, its users, its configuration. Run again, it upgrades.
#
# Rules
# - Each version is a folder of its own, PREFIX/versions/NAME, and PREFIX/current a link to one. The link is switched
#   only after the new one is whole and has read the configuration that is there; what runs goes on with its own.
# - Killed at any moment it leaves what was there before, or what is new; running it again finishes and tidies up.
# - What the operator has (configuration, data, drop-ins) is never changed.
# - Nothing is started or restarted, unless START=yes; what to do next is printed.
set -euo pipefail
umask 022
source "$(dirname "$0")/venv.sh"

prefix=${PREFIX:-/opt/tocsin}
python=${PYTHON:-python3}
configuration=/etc/tocsin/tocsin.toml
services=(tocsind.service tocsin-courier.service tocsin-gateway.service)

[ "$(id -u)" = 0 ] || stop "must be run by root: sudo make install"
[[ $prefix =~ ^/[A-Za-z0-9._/-]+$ ]] || stop "PREFIX must be an absolute path without spaces, not '$prefix'"
# One spelling: what runs is known by its path.
prefix=$(realpath -ms "$prefix")
case $prefix/ in
    /root/* | /home/* | /run/* | /tmp/* | /var/tmp/*)
        stop "$prefix is a place that services cannot read, or that is emptied (ProtectHome=, PrivateTmp=)" ;;
esac
for program in systemctl systemd-sysusers systemd-tmpfiles flock; do
    command -v "$program" >/dev/null || stop "there is no $program: this installs for systemd"
done
if [ -e /lib/systemd/system/tocsind.service ]; then
    stop "Tocsin is installed as a package; upgrade that, or remove it first (apt-get remove tocsin keeps the data)"
fi
check_python "$python"

mkdir -p "$prefix/versions"
exec 9>"$prefix/.lock"
flock --nonblock 9 || stop "another installation is under way in $prefix"

# The program.
tools=$(mktemp -d)
new=
switched=
# What was not switched to is of no use to anybody.
trap 'rm -rf "$tools"; [ -n "$switched" ] || rm -rf "$new"' EXIT
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$repository/pyproject.toml" | head -1)
before=$(readlink "$prefix/current" || true)
new=$(mktemp -d "$prefix/versions/$version.XXXXXX")
chmod 755 "$new"
echo "Installing Tocsin $version into $new"
make_tools "$tools" "$python"
fill "$new" "$python" "$tools"
for program in tocsind tocsin-gateway tocsin; do
    "$new/bin/$program" --help >/dev/null || stop "$new/bin/$program does not start; nothing was changed"
done
if [ -e "$configuration" ]; then
    "$new/bin/tocsin" config check "$configuration" ||
        stop "mend $configuration for version $version, then run this again; until then nothing was changed"
fi
sync --file-system "$new"

# Users and folders.
install -D -m 644 "$repository/systemd/sysusers.d/tocsin.conf" /etc/sysusers.d/tocsin.conf
install -D -m 644 "$repository/systemd/tmpfiles.d/tocsin.conf" /etc/tmpfiles.d/tocsin.conf
systemd-sysusers /etc/sysusers.d/tocsin.conf
systemd-tmpfiles --create /etc/tmpfiles.d/tocsin.conf
[ -d /var/lib/tocsin ] || install -d -m 700 -o tocsin -g tocsin /var/lib/tocsin

# The configuration.
[ -d /etc/tocsin ] || install -d -m 755 /etc/tocsin
if [ ! -e "$configuration" ]; then
    "$new/bin/python" "$repository/systemd/configuration.py" >"$configuration.new"
    # It holds no secrets, and two users read it.
    chmod 644 "$configuration.new"
    mv -f "$configuration.new" "$configuration"
fi

# The switch: from here on the new version is the one that starts.
ln -sfn "${new#"$prefix/"}" "$prefix/current.new"
switched=yes
mv -fT "$prefix/current.new" "$prefix/current"
units /etc/systemd/system "$prefix/current"
for program in tocsin tocsind tocsin-gateway; do
    ln -sfn "$prefix/current/bin/$program" "/usr/local/bin/$program"
done

booted() { [ -d /run/systemd/system ]; }
booted && systemctl daemon-reload

# A package that was removed and not purged still has the configuration in its list.
if [ "$(dpkg-query --show --showformat='${db:Status-Status}' tocsin 2>/dev/null)" = config-files ]; then
    echo "Do not purge the package that was here (apt-get purge tocsin): dpkg would remove $configuration." >&2
fi

# What nobody needs any more: neither the new one, nor the one before, nor one that a process still runs from.
for old in "$prefix"/versions/*; do
    [ "$old" = "$new" ] && continue
    [ "$old" = "$prefix/$before" ] && continue
    grep -qsF "$old/" /proc/[0-9]*/cmdline /proc/[0-9]*/maps && continue
    rm -rf "$old"
done

echo "Tocsin $version is installed in $prefix"
start="systemctl enable --now tocsin-courier.socket tocsind tocsin-gateway.socket tocsin-gateway"
restart="systemctl restart ${services[*]}"
if booted && systemctl is-active --quiet tocsind.service; then
    echo "The version before is running. To change over, without losing a request:"
    next=$restart
else
    echo "Look at $configuration, then start it:"
    next=$start
fi
echo "  $next"
if [ "${START:-}" = yes ]; then
    $next
    # One that is enabled stands still where a package was removed before.
    ! systemctl is-enabled --quiet tocsin-backup.timer 2>/dev/null || systemctl start tocsin-backup.timer
fi
if ! booted || ! systemctl is-active --quiet tocsin-backup.timer 2>/dev/null; then
    echo "A backup each day, into /var/backups/tocsin:"
    echo "  systemctl enable --now tocsin-backup.timer"
fi
