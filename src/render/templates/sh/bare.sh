# Finds the program: FARMOUT, PATH, one that was downloaded before, or FARMOUT_URL.
fo_find_farmout() {
    if [ -z "$fo_needs_farmout" ] || fo_given_farmout; then
        return 0
    fi
    fo_where=
    for fo_farmout in "$(command -v farmout)" "$fo_basedir/bin/farmout-$fo_version"; do
        case $fo_farmout in
            /*) ;;
            *) continue ;;
        esac
        if [ -x "$fo_farmout" ]; then
            if fo_fits "$fo_farmout"; then
                return 0
            fi
            fo_where="; $fo_farmout is another: $fo_said"
        fi
    done
    if [ -z "${FARMOUT_URL-}" ]; then
        fo_refuse "the steps call farmout $fo_version, and there is none on PATH$fo_where" "put it there, name it (FARMOUT=/path/to/farmout), or say where to download it (FARMOUT_URL=https://...); a script that \`farmout render sh\` writes without --bare has it in it"
    fi
    fo_say "downloading farmout $fo_version from $FARMOUT_URL"
    mkdir -p "$fo_basedir/bin" || fo_refuse "$fo_basedir/bin cannot be made" "give a directory of yours with --basedir"
    fo_aside=$fo_basedir/bin/.farmout-new.$$
    if command -v curl >/dev/null 2>&1; then
        curl -fsSL -o "$fo_aside" "$FARMOUT_URL"
    elif command -v wget >/dev/null 2>&1; then
        wget -q -O "$fo_aside" "$FARMOUT_URL"
    else
        fo_refuse "FARMOUT_URL is given, and there is neither curl nor wget to download with" "install one of them, or put farmout on PATH"
    fi
    fo_status=$?
    if [ "$fo_status" != 0 ]; then
        rm -f "$fo_aside"
        fo_refuse "farmout cannot be downloaded from $FARMOUT_URL: exit status $fo_status" "look at the address, or put farmout on PATH"
    fi
    if [ -n "${FARMOUT_SHA256-}" ] && [ "$(fo_digest "$fo_aside")" != "$FARMOUT_SHA256" ]; then
        rm -f "$fo_aside"
        fo_refuse "what $FARMOUT_URL gives has not the SHA-256 that FARMOUT_SHA256 says"
    fi
    chmod 755 "$fo_aside"
    if ! fo_fits "$fo_aside"; then
        rm -f "$fo_aside"
        fo_refuse "what $FARMOUT_URL gives is no farmout $fo_version that runs here: $fo_said"
    fi
    fo_farmout=$fo_basedir/bin/farmout-$fo_version
    mv -f "$fo_aside" "$fo_farmout"
}
