#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Has Frama-C's Eva go through each driver here, and every function that it calls, for all inputs that the driver allows. An alarm is
# an error at run time that Eva can't exclude; each must be one that the driver EXPLAINS, and each that it explains must be there.
# And shows that the check can fail: with each of the driver's SEEDED faults (of tests/seeded) there must be another alarm.
#   run.sh OUT_DIRECTORY [DRIVER...]
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
mkdir -p "$1/include" && out=$(cd "$1" && pwd)
shift
ln -sfn /usr/include/xen "$out/include/xen"
failed=0 explained=0 faults=0
: > "$out/functions"

# What Frama-C knows nothing of is an error.
strict='-kernel-warn-key annot:missing-spec=abort,typing:implicit-function-declaration=abort'

# field DRIVER NAME: what the driver's opening comment says of it, a line each.
field() { sed -n "s/^ \* $2: //p" "$here/$1.c"; }

# analyse TREE DRIVER LOG: false if Frama-C itself fails, or takes two minutes of a processor. LOG.csv has the alarms.
analyse() {
    (cd "$1" && ulimit -t 120 && eval "frama-c -machdep gcc_x86_64 -c11 $strict -eva -eva-precision 2 $(field "$2" OPTIONS)" \
        '-cpp-extra-args="-I. -Ihost/inline -I$out/include -include tests/frama-c/shim.h -D__XEN_TOOLS__ -D__XEN_INTERFACE_VERSION__=0x00040e00"' \
        '"tests/frama-c/$2.c" -eva-msg-key=-final-states,-initial-state -then -metrics -metrics-eva-cover' \
        '-then -report-csv "$3.csv" -report-no-proven' > "$3" 2>&1) && grep -q 'functions analyzed' "$3"
}

# unexplained DRIVER LOG: alarms, less those that are explained.
unexplained() { tail -n +2 "$2.csv" | cut -f 4- | grep -vF -f <(field "$1" EXPLAINED | grep . || echo '/no such/'); }

# The functions of which at least half the statements were reached, less the driver's own.
functions() {
    sed -n 's/^ *\([A-Za-z_0-9]*\): [0-9]* stmts out of [0-9]* (\([5-9][0-9]\|100\)\..*/\1/p' "$2" | sort -u |
        while read -r name; do grep -q "^[a-z].*[ *]$name(" "$here/$1.c" "$here"/*.h || echo "$name"; done
}

# found DRIVER FAULT: is there an alarm that is not explained, in a tree with the fault?
found() {
    local tree="$out/seeded-$2" log="$out/$1.log.$2"

    rm -rf "$tree" && mkdir -p "$tree" && (cd "$root" && cp -r --parents abi boot core host lib x86 tests/frama-c "$tree") &&
        patch -s -d "$tree" -p1 < "$(echo "$root/tests/seeded/$2"-*.patch)" &&
        analyse "$tree" "$1" "$log" && unexplained "$1" "$log" | grep -q .
}

[ $# -gt 0 ] || { cd "$here" && set -- *.c; }
for name in "${@%.c}"; do
    log="$out/$name.log"
    if ! analyse "$root" "$name" "$log"; then
        failed=$((failed + 1))
        echo "  FRAMA-C $name: FAILED, see $log"
        continue
    fi
    functions "$name" "$log" > "$out/$name.functions"
    sed "s/^/$name /" "$out/$name.functions" >> "$out/functions"
    echo "  FRAMA-C $name: $(wc -l < "$out/$name.functions") functions, $(unexplained "$name" "$log" | wc -l) alarms"
    unexplained "$name" "$log" | sed 's/^/          /'
    failed=$((failed + $(unexplained "$name" "$log" | wc -l)))
    while read -r text; do
        if grep -qF "$text" "$log.csv"; then
            explained=$((explained + 1))
        else
            failed=$((failed + 1))
            echo "          explained, but no alarm: $text"
        fi
    done < <(field "$name" EXPLAINED)
    for fault in $(field "$name" SEEDED); do
        if found "$name" "$fault"; then
            faults=$((faults + 1))
        else
            failed=$((failed + 1))
            echo "  FRAMA-C $name: seeded fault $fault is not found"
        fi
    done
done
echo "$(cut -d' ' -f2 "$out/functions" | sort -u | wc -l) functions analysed, $failed failed; $explained alarms explained; $faults seeded faults found"
[ "$failed" -eq 0 ]
