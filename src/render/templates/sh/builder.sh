# Builders. -------------------------------------------------------------------

# fo_make MODE DIRECTORY...
fo_make() {
    fo_mode=$1
    shift
    for fo_folder in "$@"; do
        if [ ! -d "$fo_folder" ]; then
            (umask 022 && mkdir -p "$fo_folder" && chmod "$fo_mode" "$fo_folder") || fo_refuse "$fo_folder cannot be made" "give a directory of yours with --basedir"
        fi
    done
}

# fo_open BUILDER DIRECTORY SLOTS SOCKETS: the directories of a builder, and the locks that keep others out of them.
fo_open() {
    fo_builder=$1 fo_directory=$2 fo_slots=$3
    fo_result=success fo_halted='' fo_causes='' fo_pid=''
    fo_builder_dir=$fo_basedir/$fo_directory
    fo_build_dir=$fo_builder_dir/build
    fo_tmp_dir=$fo_builder_dir/tmp
    fo_caches=$fo_basedir/buildout-caches
    fo_locks=$fo_basedir/locks
    fo_logs=$fo_builder_dir/logs/$fo_run
    fo_socket_dir=
    fo_make 755 "$fo_locks/builders" "$fo_locks/slots"
    fo_say "$fo_builder in $fo_builder_dir"
    if [ -n "$fo_slots" ] && ! fo_take_slot "$fo_slots"; then
        fo_result=interrupted
        return 1
    fi
    if ! fo_take 9 "$fo_locks/builders/$fo_directory" "the builder's directory" 1; then
        if [ -n "$fo_slots" ]; then
            fo_release 7 "$fo_locks/slots/$fo_slot"
        fi
        fo_result=interrupted
        return 1
    fi
    fo_make 755 "$fo_caches/eggs" "$fo_caches/openerp" "$fo_build_dir"
    fo_leave_nothing
    fo_make 700 "$fo_tmp_dir" "$fo_logs"
    fo_began_builder=$(fo_now)
    if [ -n "$4" ]; then
        fo_make_sockets
    fi
    printf '%s\n%s\n' "$fo_run" "$fo_socket_dir" >"$fo_builder_dir/.farmout-sh-run"
    printf 'step\toutcome\texit\tseconds\treason\n' >"$fo_logs/steps.tsv"
    rm -f "$fo_builder_dir/logs/latest"
    ln -s "$fo_run" "$fo_builder_dir/logs/latest"
}

# The paths of sockets are short, and those of builds are not. It is the same in each run, as builds write it down.
fo_make_sockets() {
    fo_socket_dir=/tmp/fo-$(printf '%s' "$fo_builder_dir" | cksum | cut -d ' ' -f 1)
    rm -rf "$fo_socket_dir" 2>/dev/null
    if ! mkdir -m 700 "$fo_socket_dir" 2>/dev/null; then
        fo_socket_dir=$(mktemp -d /tmp/fo-XXXXXX) || fo_refuse "no directory for sockets can be made in /tmp"
    fi
}

# What a script that was killed has left: processes, temporary files, sockets.
fo_leave_nothing() {
    if [ -e "$fo_builder_dir/.farmout-sh-run" ]; then
        { read -r fo_earlier && read -r fo_sockets; } <"$fo_builder_dir/.farmout-sh-run"
        fo_end_left "$fo_earlier/$fo_directory/"
        case $fo_sockets in
            /tmp/fo-*/* | /tmp/fo-*..*) ;;
            /tmp/fo-*) rm -rf "$fo_sockets" ;;
        esac
        rm -f "$fo_builder_dir/.farmout-sh-run"
    fi
    if ! rm -rf "${fo_builder_dir:?}/tmp"; then
        fo_say "  temporary files of an earlier build are not all gone"
    fi
}

# fo_end_left MARK: ends the processes that carry it, and counts them.
fo_end_left() {
    fo_left=$(trap '' INT TERM HUP QUIT; fo_marked "$1" | wc -l)
    fo_left=$((fo_left))
    if [ "$fo_left" = 0 ]; then
        return 0
    fi
    fo_end TERM '' "$1"
    fo_until=$(($(fo_now) + 10))
    while [ -n "$(fo_marked "$1")" ]; do
        if [ "$(fo_now)" -ge "$fo_until" ]; then
            fo_end KILL '' "$1"
            sleep 1
            break
        fi
        sleep "$fo_moment"
    done
}

# Ends a builder: nothing is left of it but what it built, and its logs.
fo_close() {
    if [ "$fo_stop" -lt 2 ]; then
        fo_end_left "$fo_run/$fo_directory/"
        if [ "$fo_left" != 0 ]; then
            fo_say "  its steps left $fo_left processes running, which are ended"
            fo_worse warnings
        fi
        rm -rf "${fo_tmp_dir:?}"
        fo_make 700 "$fo_tmp_dir"
        if [ -n "$fo_socket_dir" ]; then
            rm -rf "${fo_socket_dir:?}"
        fi
        rm -f "$fo_builder_dir/.farmout-sh-run"
    fi
    rm -f "$fo_logs/.raw" "$fo_logs/.out" "$fo_logs/.why" "$fo_logs/.limit" "$fo_logs/.stop" "$fo_logs/.over"
    fo_release 9 "$fo_locks/builders/$fo_directory"
    if [ -n "$fo_slots" ]; then
        fo_release 7 "$fo_locks/slots/$fo_slot"
    fi
}

# fo_build NUMBER: one builder, and a line of the summary about it.
fo_build() {
    fo_began_builder=$(fo_now)
    "fo_builder_$1"
    fo_took=$(($(fo_now) - fo_began_builder))
    fo_say "$fo_builder  $fo_result  $fo_took s"
    fo_summary="$fo_summary
$fo_builder  $fo_result  $fo_took s  $fo_basedir/$fo_directory/logs/$fo_run"
    case $fo_result in
        interrupted) fo_exit=130 ;;
        failure) if [ "$fo_exit" = 0 ]; then fo_exit=1; fi ;;
    esac
}

# A signal that asks to stop. What is sent to the script and to its group of processes comes twice, and is one request:
# for the next second it hears no other.
fo_request() {
    trap '' INT TERM HUP QUIT
    fo_stop=$((fo_stop + 1))
    fo_woken=1
    fo_heed
    if [ "$fo_stop" = 1 ]; then
        fo_say "stopping, and cleaning up; another signal stops that, too"
    fi
    sleep 1
    trap fo_request INT TERM HUP QUIT
}

# Ends the step at work if it was asked for often enough.
fo_heed() {
    if [ -n "$fo_pid" ] && [ "$fo_stop" -ge "$fo_patience" ]; then
        fo_cut=1
        : >"$fo_logs/.stop"
        if [ "$fo_stop" -ge 2 ]; then
            fo_end KILL "$fo_pid" "$fo_mark\$"
        else
            fo_end TERM "$fo_pid" "$fo_mark\$"
        fi
    fi
}

# All of it. --------------------------------------------------------------------

# Everything that is missing is said before anything is built.
fo_prepare() {
    fo_take_options "$@"
    fo_refuse_root
    fo_complete=
    for fo_index in $fo_wanted; do
        fo_lacks "$fo_index"
        fo_name_builder "$fo_index"
        if [ -z "$fo_lacked_properties" ]; then
            fo_complete="$fo_complete $fo_index"
        elif [ -n "$fo_named" ]; then
            fo_refuse "builder $fo_builder needs properties that it was not given" "give them with$fo_lacked_properties"
        else
            fo_complain "warning: builder $fo_builder is left out" "it needs$fo_lacked_properties"
        fi
    done
    fo_wanted=$fo_complete
    if [ -z "$fo_wanted" ]; then
        fo_refuse "no builder has the properties that it needs" "give them with --property NAME=VALUE"
    fi
    fo_find_secrets
    fo_forget_caller
    fo_look_around
    fo_use_basedir
    fo_run=sh-$(date -u +%Y%m%d-%H%M%S)-$$
}

fo_main() {
    trap fo_request INT TERM HUP QUIT
    # Where nobody can hear it, things are left unsaid. Caught rather than ignored, so that no command inherits it.
    trap 'fo_woken=1' PIPE
    for fo_index in $fo_wanted; do
        fo_name_builder "$fo_index"
        if [ "$fo_stop" = 0 ]; then
            fo_build "$fo_index"
        else
            fo_summary="$fo_summary
$fo_builder  not begun"
        fi
    done
    if [ "$fo_stop" != 0 ]; then
        fo_exit=130
    fi
    fo_say "$fo_summary"
    exit "$fo_exit"
}
