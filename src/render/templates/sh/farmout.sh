# The program that steps call. --------------------------------------------------

# Whether it runs here, and says that it is of the version that the steps are made for.
fo_fits() {
    fo_said=$("$1" --version 2>&1) && [ "$fo_said" = "farmout $fo_version" ]
}

fo_digest() {
    if command -v sha256sum >/dev/null 2>&1; then
        sha256sum <"$1" | cut -d ' ' -f 1
    elif command -v shasum >/dev/null 2>&1; then
        shasum -a 256 <"$1" | cut -d ' ' -f 1
    elif command -v openssl >/dev/null 2>&1; then
        openssl dgst -sha256 <"$1" | sed 's/.* //'
    else
        fo_refuse "there is no program here that computes a SHA-256: sha256sum, shasum or openssl" "install one of them, or name the farmout to use: FARMOUT=/path/to/farmout"
    fi
}

fo_decode() {
    if command -v base64 >/dev/null 2>&1; then
        base64 -d
    elif command -v openssl >/dev/null 2>&1; then
        openssl base64 -d
    else
        python3 -c 'import base64, sys; base64.decode(sys.stdin.buffer, sys.stdout.buffer)'
    fi
}

# The one that FARMOUT names.
fo_given_farmout() {
    if [ -z "${FARMOUT-}" ]; then
        return 1
    fi
    case $FARMOUT in
        */*) fo_farmout=$FARMOUT ;;
        *) fo_farmout=$(command -v "$FARMOUT") || fo_refuse "FARMOUT is \`$FARMOUT\`, and there is no such program" ;;
    esac
    case $fo_farmout in
        /*) ;;
        *) fo_farmout=$PWD/$fo_farmout ;;
    esac
    if [ ! -x "$fo_farmout" ] || [ -d "$fo_farmout" ]; then
        fo_refuse "FARMOUT is $FARMOUT, which cannot be started"
    fi
    if ! fo_fits "$fo_farmout"; then
        fo_complain "warning: FARMOUT is $FARMOUT, which is not farmout $fo_version, for which these steps are made: $fo_said"
    fi
}
