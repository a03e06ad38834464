# Who watches steps. -----------------------------------------------------------
# A step has three parties: the script, the step's process, which becomes its
# command, and a watcher. They tell each other by files beside the logs, each of
# which has one writer (before a step begins the script removes them all):
#   .why    the step's process: why it could not become the command
#   .limit  the watcher: the limit at which it has ended the step
#   .stop   the script: a request has ended the step; ten seconds later the
#           watcher kills what is left
#   .over   the script: the step and its group of processes are gone. The watcher
#           leaves when it is there, and never before
# SIGUSR1 from the script only cuts the watcher's nap short. It is lost on one that
# has just begun, which finds the file instead. Requests to stop are the script's
# alone to hear: one that is sent to the whole group passes the watcher by.

# fo_marked MARK: the processes that carry it, wherever they went. Only Linux tells. Called in a subshell.
fo_marked() {
    trap '' INT TERM HUP QUIT
    for fo_environ in /proc/[0-9]*/environ; do
        if [ -r "$fo_environ" ] && tr '\0' '\n' <"$fo_environ" 2>/dev/null | grep -q "^FARMOUT_STEP=$1"; then
            fo_process=${fo_environ#/proc/}
            printf '%s\n' "${fo_process%/environ}"
        fi
    done 2>/dev/null
}

# fo_end SIGNAL PID MARK (some shells know no -- of kill): to the group of the process, and to all that carries the mark.
fo_end() {
    if [ -n "$2" ]; then
        # At first the group is not there yet.
        kill "-$1" "-$2" 2>/dev/null || kill "-$1" "$2" 2>/dev/null
    fi
    for fo_process in $(fo_marked "$3"); do
        kill "-$1" "$fo_process" 2>/dev/null
    done
    return 0
}

# fo_watch PID: shows what the step writes, and ends it when it is over a limit, when that is asked for, and when this script
# is not there any more.
fo_watch() {
    trap '' INT TERM HUP QUIT
    trap : USR1 PIPE
    exec 5<"$fo_raw"
    fo_from_time=$(fo_now)
    fo_heard=$fo_from_time fo_size=0 fo_kill_at='' fo_nap=''
    while [ ! -e "$fo_logs/.over" ]; do
        fo_show
        fo_time=$(fo_now)
        if ! kill -0 $$ 2>/dev/null; then
            fo_end KILL "$1" "$fo_mark\$"
            exit 0
        fi
        if [ -n "$fo_kill_at" ]; then
            if [ "$fo_time" -ge "$fo_kill_at" ]; then
                fo_end KILL "$1" "$fo_mark\$"
            fi
        elif [ -e "$fo_logs/.stop" ]; then
            fo_kill_at=$((fo_time + 10))
        elif fo_over_limit; then
            printf '%s\n' "$fo_limit" >"$fo_logs/.limit"
            fo_end TERM "$1" "$fo_mark\$"
            fo_kill_at=$((fo_time + 10))
        fi
        sleep 1 &
        fo_nap=$!
        wait "$fo_nap"
    done
    if [ -n "$fo_nap" ]; then
        kill -KILL "$fo_nap" 2>/dev/null
    fi
    fo_show
    exit 0
}

# What the step has written since the last time. Nobody may be there to read it.
fo_show() {
    if [ -z "$fo_veil" ]; then
        cat <&5 2>/dev/null
    fi
}

# Whether the step is over one of its limits: which one is in fo_limit.
fo_over_limit() {
    if [ -n "$fo_total" ] && [ $((fo_time - fo_from_time)) -ge "$fo_total" ]; then
        fo_limit="ended after $fo_total s, its time limit"
        return 0
    fi
    if [ -z "$fo_idle" ]; then
        return 1
    fi
    fo_now_size=$(wc -c "$fo_raw" "$fo_logs/.out"; fo_followed)
    if [ "$fo_now_size" != "$fo_size" ]; then
        fo_size=$fo_now_size fo_heard=$fo_time
    fi
    fo_limit="ended after $fo_idle s without output"
    [ $((fo_time - fo_heard)) -ge "$fo_idle" ]
}

# fo_sizes PATH...: how long the files are that the step appends to, from its directory.
fo_sizes() {
    for fo_followed_path in "$@"; do
        fo_from "$fo_in" "$fo_followed_path"
        # A pipe would keep whoever reads it waiting.
        if [ -f "$fo_place" ]; then
            wc -c "$fo_place" 2>/dev/null
        fi
    done
}

# fo_await PID: waits for its end, whatever is asked for meanwhile. Its exit status is in fo_status.
fo_await() {
    while :; do
        fo_woken=
        wait "$1"
        fo_status=$?
        if [ -z "$fo_woken" ]; then
            return 0
        fi
        if ! kill -0 "$1" 2>/dev/null; then
            # It ended at that moment; some shells have its status still.
            wait "$1" 2>/dev/null
            fo_again=$?
            if [ "$fo_again" != 127 ]; then
                fo_status=$fo_again
            fi
            return 0
        fi
    done
}

# fo_settle PID: what is left of its group a second after its end is ended, too.
fo_settle() {
    fo_until=$(($(fo_now) + 2)) fo_signal=TERM
    while kill -0 "-$1" 2>/dev/null; do
        if [ "$(fo_now)" -ge "$fo_until" ]; then
            if [ "$fo_signal" = gone ]; then
                return 0
            fi
            kill "-$fo_signal" "-$1" 2>/dev/null
            case $fo_signal in
                TERM) fo_signal=KILL fo_until=$((fo_until + 10)) ;;
                *) fo_signal=gone fo_until=$((fo_until + 5)) ;;
            esac
        fi
        sleep "$fo_moment"
    done
}
