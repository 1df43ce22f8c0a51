#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Checks each model of this directory, in each of its variants, with Spin: all states within its bound, no error. And shows that
# the check can fail: with each of the model's BUGS in turn, an error must be found. The last line is the sum.
#   run.sh OUT_DIRECTORY [MODEL...]
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" && out=$(cd "$1" && pwd)
shift
passed=0 failed=0

# check MODEL DEFINES...: prints the number of errors and of states; 2 words. Within a minute of a processor and 2 GB.
check() {
    local dir="$out/$1" model="$here/$1.pml"
    shift
    mkdir -p "$dir"
    (cd "$dir" && spin -a "$@" "$model" > spin.log 2>&1 && gcc -O0 -w -DSAFETY -DMEMLIM=2000 -o pan pan.c 2> gcc.log &&
        (ulimit -t 60; ./pan -m100000) > pan.log 2>&1 && ! grep -q 'max search depth too small\|out of memory' pan.log &&
        sed -n 's/.*errors: *\([0-9]*\)$/\1/p; s/^ *\([0-9]*\) states, stored.*/\1/p' pan.log | sort -n | tr '\n' ' ')
}

verdict() { # NAME EXPECTED(no|yes) ERRORS STATES
    if [ -z "$4" ] || { [ "$2" = no ] && [ "$3" -ne 0 ]; } || { [ "$2" = yes ] && [ "$3" -eq 0 ]; }; then
        failed=$((failed + 1))
        echo "  MODEL   $1: FAILED (${3:-no} errors in ${4:-no} states)"
    else
        passed=$((passed + 1))
        [ "$2" = yes ] || echo "  MODEL   $1: no error in $4 states"
    fi
}

[ $# -gt 0 ] || { cd "$here" && set -- *.pml; }
for name in "${@%.pml}"; do
    model="$here/$name.pml"
    bugs=$(sed -n 's/^ \* BUGS: //p' "$model") found=$passed
    for variant in "" $(sed -n 's/^ \* VARIANTS: //p' "$model"); do
        read -r errors states <<< "$(check "$name" ${variant:+-D$variant})"
        verdict "$name${variant:+ $variant}" no "$errors" "$states"
        found=$passed
        for bug in $bugs; do
            read -r errors states <<< "$(check "$name" ${variant:+-D$variant} "-DBUG_$bug")"
            verdict "$name${variant:+ $variant} with $bug" yes "$errors" "$states"
        done
        echo "          $((passed - found)) of $(wc -w <<< "$bugs") seeded faults found"
    done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
