#!/bin/sh
# The line between what decides and what touches the machine: core abi lib x86/model boot/parse are plain C that also
# builds as an ordinary process. Prints each line that crosses it; fails if there is one.
cd "$(dirname "$0")/.." || exit 2
plain=$(git ls-files -co --exclude-standard core abi lib x86/model boot/parse | grep '\.[ch]$')

crosses() { # WHAT, PATTERN, and what is fine nevertheless
    # shellcheck disable=SC2086
    found=$(grep -nE "$2" $plain /dev/null | grep -vE "${3:-^$}")
    [ -z "$found" ] || { echo "$found" | sed "s|$|    <- $1|"; bad=1; }
}

bad=0
crosses "assembly" '(^|[^A-Za-z0-9_."])(__asm__|__asm|asm)([^A-Za-z0-9_]|$)' ':[0-9]+: *(\*|/\*|#)'
crosses "knows which build it is in" '^[[:space:]]*#[[:space:]]*(el)?if.*HOST'
crosses "a machine's own header" '#[[:space:]]*include[[:space:]]*["<]host/'
crosses "the image's own header" '#[[:space:]]*include[[:space:]]*["<]x86/' '["<]x86/model/'
crosses "boot's own header" '#[[:space:]]*include[[:space:]]*["<]boot/' '["<]boot/parse/'
# Who is left of whom: lib <- core, x86/model <- abi.
lower=$(echo "$plain" | grep '^lib/') && plain=$lower && crosses "lib knows nobody" '#[[:space:]]*include[[:space:]]*"(core|abi|x86|boot)/'
plain=$(git ls-files -co --exclude-standard core x86/model | grep '\.[ch]$')
crosses "the core does not know the hypercall edge" '#[[:space:]]*include[[:space:]]*"abi/'
exit $bad
