#!/bin/sh
# Two vae commands at once on one file, for every pair of commands that write; links, pipes and folders
# planted at every name that is written; closed descriptors; kills.
#     sh tests/test_tool_pairs.sh build/vae
# Ends with "pairs: N passed, N failed, N skipped".
. "$(dirname "$0")/tool.sh"
first=
trap 'if [ -n "$first" ]; then kill -KILL "$first" 2>/dev/null; fi; rm -rf "$dir"' EXIT

net="--encoder relu --decoder relu --latent 2 --quiet"
"$vae" train --data digits --images 64 --test-images 16 $net --epochs 1 --model m.st ||
    { echo "FAIL training does not run"; echo "pairs: 0 passed, 1 failed, 0 skipped"; exit 1; }
"$vae" encode m.st --data digits --images 50 --out z.npy --quiet

# ---- the commands that write ----

kinds="model best log json sample reconstruct interpolate manifold traverse encode logvar decode score eval"
sets="digits shapes faces"
# does KIND FILE: a command that writes the file; $with stands before it
with=
does() {
    training="train --data digits --images 1200 --test-images 16 $net --epochs 2"
    case $1 in
        model | best | log | json) $with "$vae" $training "--$1" "$2" ;;
        sample | manifold) $with "$vae" "$1" m.st --count 16 --out "$2" --quiet ;;
        reconstruct | interpolate) $with "$vae" "$1" m.st --data digits --images 300 --out "$2" --quiet ;;
        traverse) $with "$vae" traverse m.st --data digits --images 300 --out "$2" --quiet ;;
        encode | score) $with "$vae" "$1" m.st --data digits --images 300 --out "$2" --quiet ;;
        logvar) $with "$vae" encode m.st --data digits --images 300 --out /dev/null --logvar "$2" --quiet ;;
        decode) $with "$vae" decode m.st --in z.npy --out "$2" --quiet ;;
        eval) $with "$vae" eval m.st --data digits --images 300 --json "$2" --quiet ;;
        digits | shapes | faces) $with "$vae" "$1" "${2%/*}" --images 900 --test-images 20 --quiet ;;
    esac
}
# what of a result is the same in each run: no seconds, no speed
lasting() {
    case $1 in
        log) cut -d, -f1,2,4- "$2" ;;
        json | eval) sed '/seconds/d; /per_second/d; /"model"/d' "$2" ;;
        *) cat "$2" ;;
    esac
}
whole() { lasting "$1" "$2" >is; cmp -s is "want.$1" || { echo "$1 gave another file"; return 1; }; }
alone() { # FILE: nothing stands beside it that was not there before
    left=$(find . -name '*.vae-*' -o -name '*.tmp')
    [ -z "$left" ] || { echo "left: $left"; return 1; }
}
mkdir alone
for kind in $kinds; do
    rm -f alone/f.png # a log replaces nothing but a log
    does "$kind" alone/f.png || echo "FAIL $kind alone: status $?"
    lasting "$kind" alone/f.png >"want.$kind"
done
for kind in $sets; do
    does "$kind" "alone/$kind/train-labels-idx1-ubyte"
    cp "alone/$kind/train-labels-idx1-ubyte" "want.$kind"
done
check every_command_writes_alone [ "$(cat alone/*.png want.* | wc -c)" -gt 10000 ]
check and_leaves_nothing alone

# ---- two at once ----

# begin KIND FILE: starts the command and stops it while it holds the file; its process in $first
begin() {
    tries=0
    while [ $tries -lt 50 ]; do
        tries=$((tries + 1))
        rm -f "$2"
        does "$1" "$2" >first.out 2>&1 &
        job=$!
        first=
        while kill -0 $job 2>/dev/null; do
            if [ -e "$2.vae-lock" ]; then
                first=$(sed -n 's/^vae \([0-9]*\)$/\1/p' "$2.vae-lock" 2>/dev/null)
                [ -z "$first" ] || break
            fi
        done
        if [ -n "$first" ] && kill -STOP "$first" 2>/dev/null; then
            while :; do # until it has stopped, or ended
                state=$(ps -o stat= -p "$first" 2>/dev/null)
                case $state in T*) break ;; '' | Z*) break ;; esac
            done
            [ ! -e "$2.vae-lock" ] || return 0
            kill -CONT "$first" 2>/dev/null
        fi
        wait $job
    done
    first=
    return 1
}
# pair A B FILE: B is refused while A holds the file, and told by whom; A then comes to its end
pair() {
    if ! begin "$1" "$3"; then
        echo "$1 never held the file: $(cat first.out)"
        return 1
    fi
    does "$2" "$3" >second.out 2>&1
    second=$?
    kill -CONT "$first"
    wait $job
    ended=$?
    told="process $first is writing it"
    first=
    if [ $second -ne 1 ] || ! grep -q -F "$told" second.out || [ "$(wc -l <second.out)" -ne 1 ]; then
        echo "$1 and $2: status $second, wanted 1 and '$told': $(head -c 300 second.out)"
        return 1
    fi
    [ $ended -eq 0 ] || { echo "$1 ended with status $ended: $(cat first.out)"; return 1; }
    whole "$1" "$3" && alone
}
for a in $kinds; do
    mkdir "pair.$a"
    for b in $kinds; do
        check "${b}_while_${a}_is_writing" pair "$a" "$b" "pair.$a/f.png"
    done
done
for a in $sets; do
    for b in $sets model best log json encode logvar score eval; do
        check "${b}_while_${a}_is_writing" pair "$a" "$b" "set.$a/train-labels-idx1-ubyte"
        case $b in digits | shapes | faces) continue ;; esac
        check "${a}_while_${b}_is_writing" pair "$b" "$a" "set.$a/train-labels-idx1-ubyte"
    done
done

# without stopping any: each is refused or comes to its end, and the file is that of one of them
race() {
    rm -f race.st race.st.*
    for i in 1 2 3 4; do
        (does "$1" race.st >race.out.$i 2>&1; echo $? >race.status.$i) &
    done
    wait
    ended=0
    for i in 1 2 3 4; do
        case $(cat race.status.$i) in
            0) ended=$((ended + 1)) ;;
            # without a number in the moment between taking the lock and writing it
            1) grep -qE '(process [0-9]+|another process) is writing it' race.out.$i ||
                { cat race.out.$i; return 1; } ;;
            *) echo "status $(cat race.status.$i): $(cat race.out.$i)"; return 1 ;;
        esac
    done
    [ $ended -gt 0 ] && whole "$1" race.st && alone
}
for kind in model log json encode score; do
    check "four_of_${kind}_at_once" race $kind
done

# ---- killed while it holds the file ----

killed() {
    begin "$1" "$2" || { echo "$1 never held the file: $(cat first.out)"; return 1; }
    kill -KILL "$first"
    wait $job 2>/dev/null
    first=
    [ "$1" != log ] || rm -f "$2"
    does "$1" "$2" >second.out 2>&1 || { echo "status $?: $(cat second.out)"; return 1; }
    whole "$1" "$2" && alone
}
ended_by() { # SIGNAL KIND FILE: a signal leaves nothing behind, and does not touch the old file
    begin "$2" "$3" || { echo "$2 never held the file: $(cat first.out)"; return 1; }
    kill "-$1" "$first"
    kill -CONT "$first"
    wait $job 2>/dev/null
    first=
    alone
}
for kind in $kinds; do
    check "${kind}_after_a_kill" killed $kind killed.png
    check "${kind}_ended_by_a_signal_leaves_nothing" ended_by TERM $kind killed.png
done 2>/dev/null
for kind in $sets; do
    check "${kind}_after_a_kill" killed $kind killed.$kind/train-labels-idx1-ubyte
    check "${kind}_ended_by_a_signal_leaves_nothing" ended_by HUP $kind killed.$kind/train-labels-idx1-ubyte
done 2>/dev/null

# ---- something is planted at a name that is written ----

mkdir planted
victim() { printf 'precious data\n' >victim; }
unharmed() { [ "$(cat victim)" = "precious data" ] || { echo "the victim holds: $(head -c 100 victim)"; return 1; }; }
plant() { # WHAT NAME
    rm -rf "$2"
    victim
    case $1 in
        link) ln -s "$dir/victim" "$2" ;;
        dangling) ln -s "$dir/nothing" "$2" ;;
        hard) ln victim "$2" ;;
        pipe) mkfifo "$2" ;;
        folder) mkdir "$2" ;;
        file) printf 'precious data\n' >"$2" ;;
    esac
}
# in_the_way WHAT KIND FILE: where the lock should be, so the command is refused, nothing is touched
in_the_way() {
    rm -rf "$3"
    plant "$1" "$3.vae-lock"
    with="timeout 20"
    does "$2" "$3" >planted.out 2>&1
    status=$?
    with=
    [ $status -eq 1 ] && grep -q 'is in the way' planted.out ||
        { echo "status $status: $(head -c 300 planted.out)"; return 1; }
    [ ! -e nothing ] || { echo "a link led to a new file"; return 1; }
    [ ! -e "$3" ] || { echo "$3 was made"; return 1; }
    [ "$1" != file ] || [ "$(cat "$3.vae-lock")" = "precious data" ] || return 1
    rm -rf "$3.vae-lock"
    unharmed && alone
}
# replaced WHAT KIND FILE: at the name itself, so it is replaced, and not followed
replaced() {
    plant "$1" "$3"
    with="timeout 20"
    does "$2" "$3" >planted.out 2>&1
    status=$?
    with=
    [ $status -eq 0 ] || { echo "status $status: $(head -c 300 planted.out)"; return 1; }
    [ ! -e nothing ] || { echo "a link led to a new file"; return 1; }
    [ ! -L "$3" ] || { echo "the link is still there"; return 1; }
    unharmed && whole "$2" "$3" && alone
}
# beside WHAT KIND FILE: at the names that other programs, or older versions, use for their temporary
beside() {
    rm -rf "$3"
    plant "$1" "$3.tmp"
    plant "$1" "$3.vae-tmp"
    with="timeout 20"
    does "$2" "$3" >planted.out 2>&1
    status=$?
    with=
    [ $status -eq 0 ] || { echo "status $status: $(head -c 300 planted.out)"; return 1; }
    [ ! -e nothing ] || { echo "a link led to a new file"; return 1; }
    [ -e "$3.tmp" ] || [ -L "$3.tmp" ] || { echo "$3.tmp is gone"; return 1; }
    rm -rf "$3.tmp" "$3.vae-tmp"
    unharmed && whole "$2" "$3" && alone
}
for kind in $kinds $sets; do
    case $kind in
        digits | shapes | faces) mkdir planted/$kind; file=planted/$kind/train-labels-idx1-ubyte ;;
        *) file=planted/f.png ;;
    esac
    for what in link dangling hard pipe folder file; do
        check "${what}_for_the_lock_of_$kind" in_the_way $what $kind $file
        check "${what}_for_the_temporary_of_$kind" beside $what $kind $file
        case $what in pipe | folder) continue ;; esac
        case $what-$kind in link-log | hard-log | file-log) continue ;; esac # not a log: refused
        check "${what}_for_the_file_of_$kind" replaced $what $kind $file
    done
done
plant link planted/f.png
timeout 20 "$vae" train --data digits --images 64 $net --epochs 1 --log planted/f.png 2>planted.out
check a_link_to_what_is_no_log [ $? -eq 1 ]
check a_link_to_what_is_no_log_is_told grep -q 'is not a log' planted.out
check and_it_is_unharmed unharmed
# the name of the temporary ends in the number of the process, which can be guessed
guess() {
    rm -rf planted/f.png*
    victim
    sh -c 'echo $$' >number
    number=$(cat number)
    i=1
    while [ $i -le 400 ]; do
        ln -s "$dir/victim" "planted/f.png.vae-$((number + i))"
        i=$((i + 1))
    done
    does sample planted/f.png
    status=$?
    [ "$(find planted -name 'f.png.vae-*' | wc -l)" -eq 400 ] || { echo "a link is gone"; return 1; }
    rm -f planted/f.png.vae-*
    [ $status -eq 0 ] && unharmed && whole sample planted/f.png && alone
}
check links_at_every_name_of_the_next_processes guess

# a file keeps its rights
for kind in $kinds; do
    rm -f planted/f.png
    does "$kind" planted/f.png
    chmod 640 planted/f.png
    does "$kind" planted/f.png
    check "${kind}_keeps_the_rights_of_the_file" [ "$(ls -l planted/f.png | cut -c1-10)" = -rw-r----- ]
done

# ---- closed descriptors ----

closed() { # KIND FILE: whatever is closed, the file is the same, and holds nothing that was printed
    for fds in 0 1 2 01 12 012; do
        rm -f "$2"
        (
            case $fds in *0*) exec <&- ;; esac
            case $fds in *1*) exec >&- ;; esac
            case $fds in *2*) exec 2>&- ;; esac
            does "$1" "$2"
        )
        status=$?
        [ $status -eq 0 ] || { echo "status $status without $fds"; return 1; }
        whole "$1" "$2" || { echo "without $fds"; return 1; }
    done
    alone
}
net="${net% --quiet}" # so that something is printed
for kind in $kinds; do
    check "${kind}_without_descriptors" closed $kind planted/f.png
done
for kind in $sets; do
    check "${kind}_without_descriptors" closed $kind planted/$kind/train-labels-idx1-ubyte
done
check nothing_is_left_at_the_end alone

end pairs
