# What the tests of the vae command share. A test begins with  . "$(dirname "$0")/tool.sh"  and gets
# the command as $vae, the repository as $root, a temporary folder as the present one and as $dir.
[ $# -eq 1 ] && [ -x "$1" ] || { echo "usage: sh $0 build/vae" >&2; exit 2; }
case $1 in /*) vae=$1 ;; *) vae=$(pwd)/$1 ;; esac
root=$(cd "$(dirname "$0")/.." && pwd)
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 2
passed=0 failed=0 skipped=0
LC_ALL=C
export LC_ALL
unset NO_COLOR COLUMNS

# check NAME COMMAND...: passes if the command succeeds
check() {
    name=$1
    shift
    if "$@"; then
        echo "ok $name"
        passed=$((passed + 1))
    else
        echo "FAIL $name"
        failed=$((failed + 1))
    fi
}

# refused NAME STATUS WORDS ARGUMENTS...: `vae ARGUMENTS` ends with the status and one line on
# stderr that begins with "vae: " and holds the words
refused() {
    name=$1 want=$2 words=$3
    shift 3
    timeout 120 "$vae" "$@" >refused.out 2>refused.err
    got=$?
    lines=$(wc -l <refused.err)
    if [ "$got" -eq "$want" ] && [ "$lines" -eq 1 ] && grep -q '^vae: ' refused.err &&
        grep -q -F -e "$words" refused.err; then
        echo "ok $name"
        passed=$((passed + 1))
    else
        echo "FAIL $name: status $got, wanted $want and '$words', stderr: $(head -c 300 refused.err)"
        failed=$((failed + 1))
    fi
}

skip() { # NAME REASON
    echo "skip $1 ($2)"
    skipped=$((skipped + 1))
}

end() { # WHAT: the last line
    echo "$1: $passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
    exit
}

# what check can call
same() { cmp -s "$1" "$2"; }
missing() { [ ! -e "$1" ]; }
holds() { grep -q -e "$2" "$1"; }
lacks() { ! grep -q -e "$2" "$1"; }
size_is() { [ "$(wc -c <"$1")" -eq "$2" ]; }
is_png() { [ "$(head -c 8 "$1" | od -An -tx1 | tr -d ' \n')" = 89504e470d0a1a0a ]; }
hash_of() { sed -n 's/.*"params_hash": "\([0-9a-f]*\)".*/\1/p' "$1"; }
