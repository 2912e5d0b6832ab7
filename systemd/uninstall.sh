#!/usr/bin/env bash
# `make uninstall`: takes away what install.sh brought, and keeps the data, the configuration and the users.
set -euo pipefail
source "$(dirname "$0")/venv.sh"

prefix=${PREFIX:-/opt/tocsin}
[ "$(id -u)" = 0 ] || stop "must be run by root: sudo make uninstall"
[[ $prefix =~ ^/[A-Za-z0-9._/-]+$ ]] || stop "PREFIX must be an absolute path without spaces, not '$prefix'"
prefix=$(realpath -ms "$prefix")
[ -d "$prefix/versions" ] || stop "there is no Tocsin in $prefix; set PREFIX"

names=()
for unit in "$repository"/systemd/*.service "$repository"/systemd/*.socket "$repository"/systemd/*.timer; do
    # Of one that is not there systemctl would disable and stop none.
    [ ! -e "/etc/systemd/system/${unit##*/}" ] || names+=("${unit##*/}")
done
if [ -d /run/systemd/system ]; then
    # Sockets and timers among them: nothing starts a service again that was stopped.
    systemctl disable --now "${names[@]}" || true
else
    systemctl disable "${names[@]}" 2>/dev/null || true
fi
# A package that was removed before remembers that its units are enabled, and would take this for the administrator's own
# wish: installed again, it would start nothing.
if [ "$(dpkg-query --show --showformat='${db:Status-Status}' tocsin 2>/dev/null)" = config-files ]; then
    # It works for a package's own scripts only, by this variable.
    DPKG_MAINTSCRIPT_PACKAGE=tocsin deb-systemd-helper purge "${names[@]}" >/dev/null || true
fi
rm -f "${names[@]/#//etc/systemd/system/}" /etc/sysusers.d/tocsin.conf /etc/tmpfiles.d/tocsin.conf
for program in tocsin tocsind tocsin-gateway; do
    if [ "$(readlink "/usr/local/bin/$program")" = "$prefix/current/bin/$program" ]; then
        rm -f "/usr/local/bin/$program"
    fi
done
rm -rf "$prefix/versions" "$prefix/current" "$prefix/current.new" "$prefix/.lock"
rmdir --ignore-fail-on-non-empty "$prefix"
if [ -d /run/systemd/system ]; then
    systemctl reset-failed "${names[@]}" 2>/dev/null || true
    systemctl daemon-reload
fi

echo "Tocsin is uninstalled. Kept: /var/lib/tocsin (the data), /var/backups/tocsin, /etc/tocsin, and the users tocsin,"
echo "tocsin-courier and tocsin-gateway. To remove these too:"
echo "  rm -rf /var/lib/tocsin /var/backups/tocsin /etc/tocsin"
echo "  userdel tocsin; userdel tocsin-courier; userdel tocsin-gateway"
