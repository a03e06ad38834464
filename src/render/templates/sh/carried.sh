# Puts the program that this script carries, on standard input, into the base directory, unless it is there.
fo_carried() {
    if [ -z "$fo_needs_farmout" ] || fo_given_farmout; then
        return 0
    fi
    if ! fo_runs_here; then
        fo_refuse "this script carries a farmout for $fo_platform_name, and this machine is $(uname -s) on $(uname -m)" "name one that runs here: FARMOUT=/path/to/farmout"
    fi
    fo_farmout=$fo_basedir/bin/farmout-$fo_sha256
    if [ -x "$fo_farmout" ] && [ "$(fo_digest "$fo_farmout")" = "$fo_sha256" ]; then
        return 0
    fi
    fo_say "unpacking farmout $fo_version to $fo_basedir/bin"
    mkdir -p "$fo_basedir/bin" || fo_refuse "$fo_basedir/bin cannot be made" "give a directory of yours with --basedir"
    fo_aside=$fo_basedir/bin/.farmout-new.$$
    if ! fo_decode | gzip -d >"$fo_aside" || [ "$(fo_digest "$fo_aside")" != "$fo_sha256" ]; then
        rm -f "$fo_aside"
        fo_refuse "the farmout that this script carries cannot be unpacked: the script is not complete, the disk is full, or base64 or gzip is missing" "copy the script anew, or name a farmout that runs here: FARMOUT=/path/to/farmout"
    fi
    chmod 755 "$fo_aside"
    if ! fo_fits "$fo_aside"; then
        rm -f "$fo_aside"
        fo_refuse "the farmout that this script carries does not run here: $fo_said" "name one that does: FARMOUT=/path/to/farmout"
    fi
    mv -f "$fo_aside" "$fo_farmout"
}
