# Steps. --------------------------------------------------------------------

# fo_set NAME VALUE: a variable of the step's environment; one whose value comes out empty is not set.
fo_set() {
    if [ -n "$2" ]; then
        export "$1=$2"
    else
        unset "$1"
    fi
}

# fo_before_path DIRECTORY...: puts them before PATH, without empty ones.
fo_before_path() {
    fo_parts=
    for fo_part in "$@"; do
        if [ -n "$fo_part" ]; then
            fo_parts=$fo_parts$fo_part:
        fi
    done
    PATH=$fo_parts$PATH
    export PATH
}

# Ends the step's process before its command, and says why.
fo_fail() {
    printf '%s\n' "$1" | tee "$fo_logs/.why"
    exit 1
}

# fo_lacking NAME WHY: what is said of a step may ask for it before there is a process to end.
fo_lacking() {
    fo_unknown="nothing is known as \`\${$1}\` here: $2"
    if [ -n "$fo_in_step" ]; then
        fo_fail "$fo_unknown"
    fi
}

# fo_from DIRECTORY PATH: where the path leads from there. It is in fo_place.
fo_from() {
    case $2 in
        /*) fo_place=$2 ;;
        *) fo_place=$1/$2 ;;
    esac
}

fo_enter() {
    fo_from "$fo_build_dir" "$1"
    cd "$fo_place" 2>/dev/null || fo_fail "the working directory $fo_place does not exist, or cannot be entered"
}

# Becomes the command, at the head of a group of processes of its own, with the signals that a shell takes from what it
# starts in the background, and with that of a closed pipe. A setsid alone gives none of them back: interrupts stay ignored, and
# a closed pipe is what it was to whoever started this script, as nothing here ignores it.
fo_exec() {
    FARMOUT_STEP=$fo_mark
    export FARMOUT_STEP
    case $1 in
        */*) if [ ! -e "$1" ]; then fo_fail "there is no program $1 in $PWD"; fi ;;
        *) if ! command -v "$1" >/dev/null 2>&1; then fo_fail "there is no program \`$1\` in PATH=$PATH"; fi ;;
    esac
    case $fo_leader in
        env) exec "$fo_env" --default-signal=INT,QUIT,PIPE "$fo_setsid" "$@" ;;
        perl) exec "$fo_perl" -e '$SIG{INT} = $SIG{QUIT} = $SIG{PIPE} = "DEFAULT"; setpgrp(0, 0); exec { $ARGV[0] } @ARGV; print STDERR "$ARGV[0]: $!\n"; exit 127' -- "$@" ;;
        python3) exec "$fo_python" -c 'import os, signal, sys
for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE):
    signal.signal(number, signal.SIG_DFL)
os.setpgrp()
os.execvp(sys.argv[1], sys.argv[1:])' "$@" ;;
        *) exec "$fo_setsid" "$@" ;;
    esac
}

# What is secret comes out as stars. The values are lines of a variable, and on no command line.
fo_mask() (
    trap '' INT TERM HUP QUIT
    if [ -z "$fo_values" ]; then
        exec cat
    fi
    FARMOUT_VALUES=$fo_values LC_ALL=C awk '
        BEGIN {
            count = split(ENVIRON["FARMOUT_VALUES"], values, "\n")
            for (i = 2; i <= count; i++)
                for (j = i; j > 1 && length(values[j]) > length(values[j - 1]); j--) {
                    longer = values[j]; values[j] = values[j - 1]; values[j - 1] = longer
                }
        }
        {
            for (i = 1; i <= count; i++) {
                if (values[i] == "") continue
                shown = ""
                while (at = index($0, values[i])) {
                    shown = shown substr($0, 1, at - 1) "***"
                    $0 = substr($0, at + length(values[i]))
                }
                $0 = shown $0
            }
            print
        }'
)

fo_worse() {
    case $fo_result:$1 in
        *:interrupted) fo_result=interrupted ;;
        interrupted:*) ;;
        *:failure) fo_result=failure ;;
        failure:*) ;;
        *:warnings) fo_result=warnings ;;
    esac
}

# fo_because TEXT: adds a reason to what came of the step.
fo_because() {
    fo_reason=${fo_reason:+$fo_reason; }$1
}

# fo_note_step OUTCOME: tells what came of it, and keeps that.
fo_note_step() {
    case $1 in
        success) fo_word='ok      ' ;;
        skipped) fo_word='skipped ' ;;
        warnings) fo_word='warnings' ;;
        failure) fo_word='failed  ' ;;
        *) fo_word='stopped ' ;;
    esac
    if [ -n "$fo_write" ]; then
        # No command, no status.
        fo_status=
    fi
    if [ "$fo_seconds" -ge 1 ]; then
        fo_say "  $fo_word  $fo_name  ${fo_seconds} s${fo_reason:+: $fo_reason}"
    else
        fo_say "  $fo_word  $fo_name${fo_reason:+: $fo_reason}"
    fi
    printf '%s\t%s\t%s\t%s\t%s\n' "$fo_name" "$1" "$fo_status" "$fo_seconds" "$fo_reason" >>"$fo_logs/steps.tsv"
    if [ "$1" != skipped ]; then
        fo_worse "$1"
    fi
}

# fo_defaults: what a step is unless it says otherwise.
fo_defaults() {
    fo_on=halt fo_write='' fo_always='' fo_lock='' fo_idle='' fo_total='' fo_provides='' fo_cause='' fo_property='' fo_property_name='' fo_keep='' fo_in='' fo_veil=''
    fo_unknown='' fo_in_step=''
    fo_followed() { :; }
}

# fo_step NUMBER NAME FUNCTION: performs one step, or says why it does not.
fo_step() {
    fo_number_of_step=$1 fo_name=$2 fo_status='' fo_seconds=0 fo_reason=''
    fo_patience=1
    if [ -n "$fo_always" ]; then
        fo_patience=2
    fi
    fo_skip=
    if [ "$fo_stop" -ge "$fo_patience" ]; then
        fo_skip=interrupted
        fo_worse interrupted
    elif [ -z "$fo_always" ]; then
        fo_skip=$fo_halted
    elif [ -n "$fo_cause" ]; then
        case " $fo_causes " in
            *" $fo_cause "*) ;;
            *) fo_skip='nothing to clean up' ;;
        esac
    fi
    if [ -n "$fo_skip" ]; then
        fo_because "$fo_skip"
        fo_note_step skipped
        return 0
    fi
    if [ -n "$fo_provides" ]; then
        fo_causes="$fo_causes $fo_provides"
    fi
    fo_log=$fo_logs/$(printf '%02d' "$1")-$2.log
    fo_raw=$fo_log
    if [ -n "$fo_veil" ]; then
        fo_raw=$fo_logs/.raw
    fi
    (umask 077 && : >"$fo_log" && : >"$fo_raw" && : >"$fo_logs/.out")
    rm -f "$fo_logs/.why" "$fo_logs/.limit" "$fo_logs/.stop" "$fo_logs/.over"
    fo_say "  begun     $fo_name"
    if [ -n "$fo_lock" ] && ! fo_take 8 "$fo_locks/$fo_lock" "the lock \`$fo_lock\`" "$fo_patience"; then
        fo_because "interrupted while it waited for the lock \`$fo_lock\`"
        fo_note_step interrupted
        return 0
    fi
    fo_from "$fo_build_dir" "$fo_in"
    fo_in=$fo_place
    if [ -n "$fo_unknown" ]; then
        # It cannot begin.
        fo_keep=
    fi
    if [ -n "$fo_keep" ]; then
        # An earlier build's must not be taken for this one's.
        rm -f "$fo_in/$fo_keep"
    fi
    fo_perform "$3"
    if [ -n "$fo_lock" ]; then
        fo_release 8 "$fo_locks/$fo_lock"
    fi
    fo_judge
}

fo_child() {
    exec 7>&- 8>&- 9>&-
    fo_in_step=1
    if [ -n "$fo_unknown" ]; then
        fo_fail "$fo_unknown"
    fi
    "$1"
}

# fo_perform FUNCTION: runs it to its end. Its exit status is in fo_status.
fo_perform() {
    fo_began_at=$(fo_now)
    fo_mark=$fo_run/$fo_directory/$fo_name
    fo_cut=
    if [ -n "$fo_property" ]; then
        fo_child "$1" >"$fo_logs/.out" 2>"$fo_raw" &
    else
        fo_child "$1" >"$fo_raw" 2>&1 &
    fi
    fo_pid=$!
    trap '' USR1
    fo_watch "$fo_pid" 7>&- 8>&- 9>&- &
    fo_watcher=$!
    trap - USR1
    # A request that came when there was nothing to end yet.
    fo_heed
    fo_await "$fo_pid"
    fo_ended=$fo_status
    fo_settle "$fo_pid"
    if [ -n "$fo_cut" ] || [ -s "$fo_logs/.limit" ]; then
        fo_end KILL '' "$fo_mark\$"
    fi
    fo_pid=
    : >"$fo_logs/.over"
    kill -USR1 "$fo_watcher" 2>/dev/null
    fo_await "$fo_watcher"
    fo_status=$fo_ended
    fo_seconds=$(($(fo_now) - fo_began_at))
    if [ -n "$fo_property" ]; then
        cat "$fo_logs/.out" >>"$fo_raw"
        if [ -z "$fo_veil" ]; then
            cat "$fo_logs/.out" 2>/dev/null
        fi
    fi
    if [ -n "$fo_veil" ]; then
        fo_mask <"$fo_raw" >"$fo_log"
        rm -f "$fo_raw"
        cat "$fo_log" 2>/dev/null
    fi
}

# What the step's end means for the build.
fo_judge() {
    fo_outcome=success fo_bad=
    if [ -s "$fo_logs/.limit" ]; then
        read -r fo_bad <"$fo_logs/.limit"
    elif [ -n "$fo_cut" ]; then
        fo_because interrupted
        fo_outcome=interrupted
    elif [ -s "$fo_logs/.why" ]; then
        # Of no command there is no exit status.
        fo_status=
        fo_bad=$(fo_mask <"$fo_logs/.why")
        fo_bad=$(printf '%s' "$fo_bad" | tr '\n\t' '  ')
    elif [ "$fo_status" != 0 ]; then
        fo_bad="exit status $fo_status"
    elif [ -n "$fo_property" ]; then
        fo_value=$(sed -n '/[^[:space:]]/{s/^[[:space:]]*//;s/[[:space:]]*$//;h;};${g;p;}' "$fo_logs/.out")
        if [ -n "$fo_value" ]; then
            eval "$fo_property=\$fo_value"
        else
            fo_because "the property $fo_property_name has no value: there was no output"
        fi
    fi
    if [ -n "$fo_bad" ]; then
        fo_because "$fo_bad"
        case $fo_on in
            halt | flunk) fo_outcome=failure ;;
            warn) fo_outcome=warnings ;;
            *) fo_because 'which does not count' ;;
        esac
    fi
    if [ -n "$fo_keep" ]; then
        fo_keep_file
    fi
    if [ "$fo_outcome:$fo_on" = failure:halt ] && [ -z "$fo_halted" ]; then
        fo_halted="step \`$fo_name\` failed"
    fi
    fo_note_step "$fo_outcome"
}

# The file that the step has left goes to the logs.
fo_keep_file() {
    if [ -f "$fo_in/$fo_keep" ] && [ ! -h "$fo_in/$fo_keep" ]; then
        if [ "$(wc -c <"$fo_in/$fo_keep")" -gt 4194304 ]; then
            fo_because "$fo_keep is not kept: it is larger than 4 MiB"
        elif (umask 077 && mkdir -p "$fo_logs/kept" && fo_mask <"$fo_in/$fo_keep" >"$fo_logs/kept/$fo_keep"); then
            return 0
        else
            fo_because "$fo_keep is not kept: it cannot be written"
        fi
    elif [ "$fo_outcome" = success ]; then
        fo_because "it left no $fo_keep to keep"
    else
        return 0
    fi
    if [ "$fo_outcome" = success ]; then
        fo_outcome=warnings
    fi
}
