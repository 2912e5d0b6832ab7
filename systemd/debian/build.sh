#!/usr/bin/env bash
# `make deb`: a Debian package in build/ (or the folder named), for the architecture and the Python of this machine.
#
# Rules
# - The program lies in /usr/lib/tocsin, an environment made by pip from the lock and moved: nothing in the package
#   names the folder that it was built in. Compiled modules tie it to one minor version of Python, and the package says
#   so.
# - DEBFULLNAME and DEBEMAIL are who answers for the package: whoever builds it.
# - What dpkg must be able to do again after an interruption is in the maintainer scripts, not here.
set -euo pipefail
umask 022
source "$(dirname "$0")/../venv.sh"

# Not `python3`, which may be anybody's: the package runs on Debian's.
python=/usr/bin/python3
check_python "$python"
for program in dpkg-deb strip; do
    command -v "$program" >/dev/null || stop "there is no $program; on Debian: apt-get install dpkg-dev binutils"
done

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$repository/pyproject.toml" | head -1)-1
maintainer="${DEBFULLNAME:-Whoever built this package} <${DEBEMAIL:-tocsin@localhost}>"
architecture=$(dpkg --print-architecture)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
root=$folder/root
home=/usr/lib/tocsin
# Files say when the source was changed, not when it was built.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$repository" log -1 --format=%ct 2>/dev/null || date +%s)}

echo "Building tocsin $version for $architecture"
make_tools "$folder/tools" "$python"
mkdir -p "$root$home" "$root/DEBIAN" "$root/usr/bin" "$root/etc/tocsin" "$root/usr/share/doc/tocsin"
# pip would compile with the folder's name inside, and lintian wants none: postinst does it.
PYTHONDONTWRITEBYTECODE=1 fill "$root$home" "$python" "$folder/tools" --no-compile
find "$root$home" -name __pycache__ -prune -exec rm -rf {} +
"$root$home/bin/python" "$repository/systemd/configuration.py" >"$root/etc/tocsin/tocsin.toml"
minor=$("$root$home/bin/python" -c 'import sys; print(f"{sys.version_info[0]}.{sys.version_info[1]}")')
"$root$home/bin/python" "$repository/systemd/debian/copyright.py" >"$root/usr/share/doc/tocsin/copyright"
find "$root$home" -name __pycache__ -prune -exec rm -rf {} +

# From here to where it will be.
packages=$root$home/lib/python$minor/site-packages
sed -i "1s|^#!$root$home/bin/python[0-9.]*$|#!$home/bin/python|" "$root$home"/bin/tocsin*
find "$root$home/bin" -type f ! -name 'tocsin*' -delete
ln -sfn "/usr/bin/python$minor" "$root$home/bin/python"
rm -f "$root$home"/bin/python3*
printf 'home = /usr/bin\ninclude-system-site-packages = false\nversion = %s\n' "$minor" >"$root$home/pyvenv.cfg"
rm -f "$root$home/lib64" "$packages"/tocsin-*.dist-info/direct_url.json
rm -rf "$root$home/include" "$root$home/share"
# Modules of their makers' with symbols for a debugger: half of the package.
find "$packages" -name '*.so*' -type f -exec strip --strip-unneeded {} +
find "$packages" -type f -exec chmod 644 {} +
for program in tocsin tocsind tocsin-gateway; do
    ln -s "../lib/tocsin/bin/$program" "$root/usr/bin/$program"
done

units "$root/lib/systemd/system" "$home"
install -D -m 644 "$repository/systemd/sysusers.d/tocsin.conf" "$root/usr/lib/sysusers.d/tocsin.conf"
install -D -m 644 "$repository/systemd/tmpfiles.d/tocsin.conf" "$root/usr/lib/tmpfiles.d/tocsin.conf"

doc=$root/usr/share/doc/tocsin
install -d "$doc/examples"
install -m 644 "$repository"/systemd/examples/*.conf "$doc/examples"
gzip -9n <"$repository/CHANGELOG.md" >"$doc/changelog.gz"
sed -e "s|@version@|$version|" -e "s|@maintainer@|$maintainer|" -e "s|@date@|$(date -R -u -d "@$SOURCE_DATE_EPOCH")|" \
    "$repository/systemd/debian/changelog" | gzip -9n >"$doc/changelog.Debian.gz"
install -D -m 644 "$repository/systemd/debian/lintian-overrides" "$root/usr/share/lintian/overrides/tocsin"

for script in preinst postinst prerm postrm; do
    install -m 755 "$repository/systemd/debian/$script" "$root/DEBIAN/$script"
done
echo /etc/tocsin/tocsin.toml >"$root/DEBIAN/conffiles"
size=$(du -sk --apparent-size --exclude=DEBIAN "$root" | cut -f1)
sed -e "s|@version@|$version|" -e "s|@architecture@|$architecture|" -e "s|@size@|$size|" \
    -e "s|@maintainer@|$maintainer|" \
    -e "s|@python@|$minor|" -e "s|@next_python@|3.$((${minor#3.} + 1))|" \
    "$repository/systemd/debian/control" >"$root/DEBIAN/control"
(cd "$root" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 md5sum) \
    >"$root/DEBIAN/md5sums"
if grep -rlF "$folder" "$root"; then
    stop "these files name the folder that they were built in"
fi

out=${1:-$repository/build}
mkdir -p "$out"
package=$out/tocsin_${version}_$architecture.deb
find "$root" -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
dpkg-deb --root-owner-group -Zxz -z"${TOCSIN_DEB_XZ:-6}" --build "$root" "$package.new" >/dev/null
mv -f "$package.new" "$package"
echo "$package"
