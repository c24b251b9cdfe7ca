# What stands where in vae.h: awk -f tests/rooms.awk vae.h vae.h (it is read twice). Prints
#   room NAME LINES                in the order of the file
#   says ROOM ROOM                 a room that the banner of the first names behind "uses:"
#   uses ROOM ROOM NAME            a name in the code of the first that the second defines
#   function NAME LINES ROOM       from its first line to its closing brace
# A name is defined where its body, value, members or table stand; a prototype defines nothing.
FNR == 1 { pass++; comment = 0; head = room = "" }

# A line without comments and without what stands in quotes.
function code(s,    at, rest) {
    if (comment) {
        if (!(at = index(s, "*/"))) return ""
        s = substr(s, at + 2)
        comment = 0
    }
    gsub(/"([^"\\]|\\.)*"/, "\"\"", s)
    gsub(/'([^'\\]|\\.)'/, "0", s)
    while ((at = index(s, "/*"))) {
        rest = substr(s, at + 2)
        s = substr(s, 1, at - 1)
        if (!(at = index(rest, "*/"))) { comment = 1; break }
        s = s " " substr(rest, at + 2)
    }
    return s
}
function define(name) { if (name ~ /^(vae|VAE)_/ && !(name in home)) home[name] = room }
function word(s) { return match(s, /[A-Za-z_][A-Za-z0-9_]*/) ? substr(s, RSTART, RLENGTH) : "" }
function enum_names(s) { # of "enum { A, B = 1 }" or of one line of it
    sub(/.*\{/, "", s)
    while (match(s, /VAE_[A-Z0-9_]+/)) {
        define(substr(s, RSTART, RLENGTH))
        s = substr(s, RSTART + RLENGTH)
        s = match(s, /,/) ? substr(s, RSTART + 1) : ""
    }
}
function begins(s) { # s: the first line or lines up to { or ;
    body = s ~ /\{/
    sub(/[{;].*/, "", s)
    if (match(s, /VAE__FN\([a-z0-9_]+\)/)) function_is(substr(s, RSTART, RLENGTH))
    else if (s ~ /^typedef [^(]*\(\*/) define(word(substr(s, index(s, "(*"))))
    else if (s ~ /^(typedef )?(struct|union|enum)/) {
        sub(/^(typedef )?(struct|union|enum) */, "", s)
        if (body) define(word(s))
    } else if (s ~ /=/) {
        sub(/(\[[^=]*)? *=.*/, "", s)
        sub(/.*[ *]/, "", s)
        define(s)
    } else if (s ~ /\(/) {
        sub(/\(.*/, "", s)
        sub(/.*[ *]/, "", s)
        function_is(s)
    }
}
function function_is(s) {
    if (!body) return
    name = s
    if (s ~ /^VAE__FN/ && !(s in home)) home[s] = room
    define(s)
}

/^ \* >>[a-z]+/ {
    room = substr($2, 3)
    if (pass == 1) order[++rooms] = room
}
pass == 2 && /^ \* uses: / {
    said = $0
    sub(/ tests:.*/, "", said)
    while (match(said, />>[a-z]+/)) {
        print "says", room, substr(said, RSTART + 2, RLENGTH - 2)
        said = substr(said, RSTART + RLENGTH)
    }
}
{ line = code($0) }

pass == 1 { lines[room]++ }
pass == 1 && line ~ /^# *define/ {
    sub(/^# *define +/, "", line)
    if (word(line) != "VAE__X") define(word(line))
    next
}
pass == 1 && head == "" && /^[A-Za-z]/ { # something begins at the left edge, and ends at its brace
    begun = depth = values = 0
    name = ""
    first = FNR
    values = line ~ /^(typedef )?enum/
}
pass == 1 && (head != "" || /^[A-Za-z]/) {
    head = head line " "
    if (values) enum_names(line)
    if (!begun && head ~ /[{;]/) { begun = 1; begins(head) }
    depth += gsub(/\{/, "{", line) - gsub(/\}/, "}", line)
    if (line ~ /^}/ || (depth == 0 && line ~ /[;}] *$/)) {
        if (name != "") print "function", name, FNR - first + 1, room
        head = ""
    }
}
pass == 2 && room != "" {
    gsub(/struct vae__[a-z_]+/, "", line) # only named: a pointer to what it does not know
    gsub(/k->[a-z_]+\(/, "&VAE__FN(", line) # a call through a table of kernels:
    while (match(line, /k->[a-z_]+\(VAE__FN\(/)) {
        called = substr(line, RSTART + 3, RLENGTH - 12)
        line = substr(line, 1, RSTART - 1) " VAE__FN(" called ") (" substr(line, RSTART + RLENGTH)
    }
    while (match(line, /VAE__FN\([a-z0-9_]+\)|(vae|VAE)_[A-Za-z0-9_]+/)) {
        used = substr(line, RSTART, RLENGTH)
        line = substr(line, RSTART + RLENGTH)
        if (used ~ /_(portable|avx2|avx512|neon)$/ && !(used in home)) { # VAE__FN of one set
            sub(/^vae__/, "VAE__FN(", used)
            sub(/_(portable|avx2|avx512|neon)$/, ")", used)
        }
        if (used in home && home[used] != room && !seen[room, used]++)
            print "uses", room, home[used], used
    }
}
END { for (i = 1; i <= rooms; i++) print "room", order[i], lines[order[i]] }
