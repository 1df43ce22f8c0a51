#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Installs what the build, the images and the tests need from Debian's packages, and those that are named as arguments; with
# --build before them, of its own only what the hypervisor is built with. Does nothing when all is there.

. "$(dirname "$0")/lib.sh"

BUILD=(
    gcc make binutils libc6-dev libxen-dev gnu-efi
    # unpack dom0's kernel, linked into the image
    zlib1g-dev liblzma-dev libzstd-dev liblz4-dev
)
OTHERS=(
    # hosted tests: the runner, real encoders for the decompressors, static analysis
    clang libcmocka-dev libbz2-dev xz-utils zstd lz4 bzip2
    cppcheck clang-tidy libclang-rt-14-dev libxenmisc4.17 spin
    # what the benchmark measures
    libtcc-dev libsqlite3-dev
    # images
    mmdebstrap cpio e2fsprogs kmod gzip busybox-static debian-archive-keyring ca-certificates
    xorriso grub-pc-bin grub-efi-amd64-bin grub-common mtools
    # whole-machine tests
    qemu-system-x86 seabios ovmf dosfstools sbsigntool openssl python3 python3-pytest python3-pytest-xdist python3-pexpect
    bochs bochs-term bochsbios vgabios
)
if [ "${1:-}" = --build ]; then
    shift
    PACKAGES=("${BUILD[@]}" "$@")
else
    PACKAGES=("${BUILD[@]}" "${OTHERS[@]}" "$@")
fi

# Prints the packages of the list that are not installed.
missing() {
    local have
    have=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${PACKAGES[@]}" 2>/dev/null | sed -n 's/ installed$//p')
    printf '%s\n' "${PACKAGES[@]}" | grep -vxF -f <(printf '%s\n' "$have") || true
}

[ "$(dpkg --print-architecture)" = amd64 ] || die "an amd64 machine is needed"
need=$(missing)
[ -n "$need" ] || exit 0

say "installing packages:" $need
as_root apt-get -q update
as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends $need
need=$(missing)
[ -z "$need" ] || die "still missing after installation:" $need
