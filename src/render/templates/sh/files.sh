# Files that the script carries. ----------------------------------------------

# fo_files_begin DIRECTORY: files are put there from now on. Those that an earlier script put there, and this one does
# not, are removed at the end.
fo_files_begin() {
    fo_from "$fo_build_dir" "$1"
    fo_target=$fo_place
    case $fo_target in
        "$fo_basedir"/*) ;;
        *) fo_fail "files are only written below the base directory, and $fo_target is not" ;;
    esac
    case $fo_target/ in
        */../*) fo_fail "files are only written below the base directory, and $fo_target may not be" ;;
    esac
    mkdir -p "$fo_target" || fo_fail "$fo_target cannot be made"
    cd "$fo_target" || fo_fail "$fo_target cannot be entered"
    # A list for each directory that files are written to, of the paths in it, escaped for printf.
    fo_list=$fo_builder_dir/.farmout-sh-files-$(printf '%s' "$fo_target" | cksum | cut -d ' ' -f 1)
    : >"$fo_list.new"
    : >>"$fo_list"
}

# fo_file PATH ESCAPED MODE: its text comes on standard input.
fo_file() {
    case $1 in
        */*) mkdir -p "./${1%/*}" || fo_fail "$fo_target/${1%/*} cannot be made" ;;
    esac
    printf '%s\n' "$2" >>"$fo_list.new"
    # Noted before it is there, so that a script killed in between leaves nothing that nobody knows of.
    printf '%s\n' "$2" >>"$fo_list"
    rm -f "./$1.farmout-new"
    if [ -n "${4-}" ]; then
        # shellcheck disable=SC2059 # it is a format
        { cat && printf "$4"; } >"./$1.farmout-new"
    else
        cat >"./$1.farmout-new"
    fi || fo_fail "$fo_target/$1 cannot be written"
    chmod "$3" "./$1.farmout-new"
    mv -f "./$1.farmout-new" "./$1" || fo_fail "$fo_target/$1 cannot be written"
    printf 'wrote %s (%s bytes)\n' "$1" "$(($(wc -c <"./$1")))"
}

fo_files_end() {
    while IFS= read -r fo_line; do
        if ! grep -q -x -F -e "$fo_line" "$fo_list.new"; then
            # shellcheck disable=SC2059 # it is a format
            fo_old=$(printf "$fo_line"x)
            fo_old=${fo_old%x}
            if [ -e "./$fo_old" ] || [ -h "./$fo_old" ]; then
                rm -f "./$fo_old"
                printf 'removed %s\n' "$fo_old"
            fi
            while :; do
                case $fo_old in
                    */*) fo_old=${fo_old%/*} ;;
                    *) break ;;
                esac
                rmdir "./$fo_old" 2>/dev/null || break
            done
        fi
    done <"$fo_list"
    mv -f "$fo_list.new" "$fo_list"
    exit 0
}
