#!/bin/sh
# Gathers what programs need at run time: libraries.sh ROOT PROGRAM...
#
# A file of its own, because it runs inside the build, in a Debian that has these libraries.
set -eu

root=$1
shift
mkdir -p "$root/etc/ssl/certs" "$root/var/lib/dpkg/status.d" "$root/home" /empty
mkdir -m 1777 "$root/tmp"

! ldd "$@" | grep 'not found' || exit 1
# `name => /path (address)`, and the loader alone as `/path (address)`.
libraries=$(ldd "$@" | sed -n 's/.*=> \(\/[^ ]*\) (.*/\1/p; s/^[[:space:]]*\(\/[^ ]*\) (.*/\1/p' | sort -u)
for library in $libraries; do
    mkdir -p "$root$(dirname "$library")"
    cp -L "$library" "$root$library"
done

cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
cp -L /etc/os-release "$root/etc/"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
printf 'root:x:0:0:root:/:/nowhere\nflotilla:x:65532:65532:flotilla:/home:/nowhere\n' >"$root/etc/passwd"
printf 'root:x:0:\nflotilla:x:65532:\n' >"$root/etc/group"

# What a scanner for vulnerabilities asks: which package, of which version, each file is from.
for library in $libraries ca-certificates.crt; do
    package=$(dpkg --search "*/$(basename "$(readlink -f "$library" 2>/dev/null || echo "$library")")" 2>/dev/null | head -n 1 | cut -d : -f 1) || true
    [ -z "$package" ] || dpkg --status "$package" >"$root/var/lib/dpkg/status.d/$package"
done
dpkg --status ca-certificates >"$root/var/lib/dpkg/status.d/ca-certificates"
