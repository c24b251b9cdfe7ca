# Wine for the tests of Windows, in a folder of its own below $dir. A test begins with
# . "$(dirname "$0")/wine.sh"  and gets  $wine  (empty if there is none); it calls wine_begin once before
# the first program and wine_end when all is done.
wine=$(command -v wine64 || command -v wine || ls /usr/lib/wine/wine64 2>/dev/null)
wine_server=$(command -v wineserver || ls /usr/lib/wine/wineserver 2>/dev/null)
WINEPREFIX=$dir/wine WINEDEBUG=-all
export WINEPREFIX WINEDEBUG

# Debian's server ends with the last program that it serves. A program that begins at that moment loses it
# ("recvmsg: Connection reset by peer"), so one server stays for all; -p600: ten minutes at most after the
# last program, should a test be killed.
wine_begin() {
    [ -n "$wine" ] || return
    mkdir -p "$WINEPREFIX"
    [ -z "$wine_server" ] || "$wine_server" -p600
    "$wine" cmd /c exit >/dev/null 2>&1 # the first program fills the folder
}

wine_end() { # the server writes into the folder until it ends
    [ -n "$wine_server" ] && [ -d "$WINEPREFIX" ] || return
    "$wine_server" -k
    "$wine_server" -w
} 2>/dev/null
