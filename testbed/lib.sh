# SPDX-License-Identifier: BSD-2-Clause
# Shared by the scripts that build images: messages, root rights, packages, and the cache.
#
# A script sets NAME and calls `cache_begin INPUT...`. Finished results live in build/cache/NAME-KEY, where KEY
# hashes the inputs, so a changed script builds anew and an unchanged one returns at once.

set -euo pipefail
export LC_ALL=C

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=$TOP/build/cache
IMAGES=$TOP/build/images
RELEASE=bookworm

say() {
    printf '[testbed] %s\n' "$*" >&2
}

die() {
    printf '[testbed] error: %s\n' "$*" >&2
    exit 1
}

# Runs a command as root: directly, or through sudo.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        command -v sudo >/dev/null || die "this step needs root: run as root, or install sudo"
        sudo "$@"
    fi
}

# Runs a noisy command; shows its output only when it fails.
quietly() {
    local log
    log=$(mktemp)
    if ! "$@" >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        rm -f "$log"
        die "failed: $*"
    fi
    rm -f "$log"
}

# True when the result of NAME for these inputs (files) is cached; else leaves an empty directory in $WORK.
# Sets $RESULT, the directory that holds (or, after cache_end, will hold) the result.
cache_begin() {
    local key
    key=$(cat "$@" "$TOP/testbed/lib.sh" | sha256sum | cut -c1-12)
    RESULT=$CACHE/$NAME-$key
    WORK=$RESULT.part
    [ -d "$RESULT" ] && return 0
    as_root rm -rf "$WORK"
    mkdir -p "$WORK/tmp" "$IMAGES"
    return 1
}

# Publishes $WORK as the result and removes the results of older inputs.
cache_end() {
    local old
    as_root rm -rf "$WORK"/tmp
    mv "$WORK" "$RESULT"
    for old in "$CACHE/$NAME"-????????????; do
        [ "$old" = "$RESULT" ] || rm -rf "$old"
    done
}

# publish FILE [NAME]: build/images/NAME becomes a link to $RESULT/FILE.
publish() {
    mkdir -p "$IMAGES"
    ln -sfn "../cache/$(basename "$RESULT")/$1" "$IMAGES/${2:-$1}"
}

# The package sources of this machine that belong to $RELEASE, as lines of a source list.
package_sources() {
    apt-get indextargets --format 'deb $(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        grep -E " $RELEASE(-updates|-security)? main$" | sort -u
}

# The real package behind a meta package: kernel_package linux-image-amd64 -> linux-image-6.1.0-N-amd64.
kernel_package() {
    apt-cache depends "$1" | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1
}

# unpack PACKAGE DIR: downloads a package and unpacks it into DIR without installing it.
unpack() {
    local debs=$WORK/tmp/debs
    mkdir -p "$debs" "$2"
    (cd "$debs" && quietly apt-get -q -o APT::Sandbox::User=root download "$1")
    dpkg-deb -x "$debs/$1"_*.deb "$2"
}

# make_ext4 IMAGE SIZE LABEL DIR: a raw ext4 image of SIZE (as of mke2fs) that holds DIR. No mount is needed.
make_ext4() {
    rm -f "$1"
    as_root mke2fs -q -t ext4 -O ^has_journal,^metadata_csum,^64bit -E root_owner=0:0,lazy_itable_init=1 \
        -m 0 -L "$3" -d "$4" "$1" "$2" >/dev/null
    as_root chown "$(id -u):$(id -g)" "$1"
}

# module_list ROOT VERSION MODULE...: the files of these modules and of all they need, in loading order.
module_list() {
    local root=$1 version=$2 module
    shift 2
    for module in "$@"; do
        modprobe -d "$root" -S "$version" --show-depends "$module" 2>/dev/null |
            sed -n 's/^insmod \([^ ]*\).*/\1/p' || true
    done | awk '!seen[$0]++'
}
