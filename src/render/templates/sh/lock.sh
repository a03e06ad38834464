# Locks. --------------------------------------------------------------------
# With flock(1) a lock is what the kernel holds for an open file, and lets go of
# however this script ends; `farmout run` takes the same files. Without it, it is
# a row of numbered files that name their owners: the highest number has the
# lock, and who it names is asked of the system. Numbers only ever go up, so that
# of two who find an owner dead one alone can be the next.

# When the process with this number began: numbers are used again.
fo_began() {
    if [ -r "/proc/$1/stat" ]; then
        fo_stat=$(cat "/proc/$1/stat" 2>/dev/null)
        printf '%s\n' "${fo_stat##*) }" | cut -d ' ' -f 20
    else
        ps -o lstart= -p "$1" 2>/dev/null | tr -s ' ' '_'
    fi
}

# fo_lives PID BEGAN: whether that very process is there.
fo_lives() {
    if ! kill -0 "$1" 2>/dev/null && [ ! -d "/proc/$1" ] && ! ps -p "$1" >/dev/null 2>&1; then
        return 1
    fi
    fo_other=$(fo_began "$1")
    [ -z "$2" ] || [ -z "$fo_other" ] || [ "$fo_other" = "$2" ]
}

# The highest number in a lock's folder.
fo_highest() {
    fo_number=0
    for fo_file in "$1"/*; do
        fo_last=${fo_file##*/}
        case $fo_last in
            *[!0-9]*) ;;
            *) if [ "$fo_last" -gt "$fo_number" ]; then fo_number=$fo_last; fi ;;
        esac
    done
}

# fo_number_one LOCK TEXT: puts the next number, with this text, where nobody else has.
fo_number_one() {
    printf '%s\n' "$2" >"$1.held/.new.$$"
    fo_next=$((fo_number + 1))
    ln "$1.held/.new.$$" "$1.held/$fo_next" 2>/dev/null
    fo_linked=$?
    rm -f "$1.held/.new.$$"
    [ "$fo_linked" = 0 ] || return 1
    # Somebody may have been faster, and be further on by now.
    fo_highest "$1.held"
    if [ "$fo_number" != "$fo_next" ]; then
        rm -f "$1.held/$fo_next"
        return 1
    fi
    for fo_file in "$1.held"/*; do
        fo_last=${fo_file##*/}
        case $fo_last in
            *[!0-9]*) ;;
            *) if [ "$fo_last" -lt "$fo_next" ]; then rm -f "$fo_file"; fi ;;
        esac
    done
}

# fo_try DESCRIPTOR LOCK: takes the lock if nobody has it; else says in fo_holder who has.
fo_try() {
    fo_holder=
    fo_note="pid $$, run $fo_run, builder $fo_builder"
    if [ -n "$fo_flock" ]; then
        (: >>"$2.lock") 2>/dev/null || fo_refuse "the lock $2.lock cannot be made" "give a directory of yours with --basedir"
        eval "exec $1>>\"\$2.lock\""
        if "$fo_flock" -n "$1"; then
            printf '%s\n' "$fo_note" >"$2.lock"
            return 0
        fi
        eval "exec $1>&-"
        fo_holder=$(head -n 1 "$2.lock" 2>/dev/null)
        return 1
    fi
    mkdir -p "$2.held" || fo_refuse "the lock $2.held cannot be made" "give a directory of yours with --basedir"
    fo_highest "$2.held"
    fo_owner=
    if [ "$fo_number" != 0 ]; then
        { read -r fo_owner fo_since fo_holder <"$2.held/$fo_number"; } 2>/dev/null || return 1
    fi
    case $fo_owner in
        '' | free) ;;
        *) if fo_lives "$fo_owner" "$fo_since"; then return 1; fi ;;
    esac
    fo_number_one "$2" "$$ $(fo_began $$) $fo_note"
}

# fo_release DESCRIPTOR LOCK
fo_release() {
    if [ -n "$fo_flock" ]; then
        : >"$2.lock"
        eval "exec $1>&-"
    else
        fo_highest "$2.held"
        fo_number_one "$2" free
    fi
}

# fo_take DESCRIPTOR LOCK WHAT PATIENCE: waits for it, until there were as many requests to stop.
fo_take() {
    fo_told=
    until fo_try "$1" "$2"; do
        if [ "$fo_stop" -ge "$4" ]; then
            return 1
        fi
        if [ -z "$fo_told" ]; then
            fo_say "  waits for $3${fo_holder:+ ($fo_holder has it)}"
            fo_told=1
        fi
        sleep "$fo_moment"
    done
}

# One of the places that the slave has for builders, as its max_builds says.
fo_take_slot() {
    fo_told=
    while :; do
        fo_slot=1
        while [ "$fo_slot" -le "$1" ]; do
            if fo_try 7 "$fo_locks/slots/$fo_slot"; then
                return 0
            fi
            fo_slot=$((fo_slot + 1))
        done
        if [ "$fo_stop" -ge 1 ]; then
            return 1
        fi
        if [ -z "$fo_told" ]; then
            fo_say "  waits for one of $1 slots of the slave${fo_holder:+ ($fo_holder has one)}"
            fo_told=1
        fi
        sleep "$fo_moment"
    done
}
