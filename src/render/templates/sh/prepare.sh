# Before anything is built. -----------------------------------------------------

# In a subshell: a shell that writes where nobody reads is ended.
fo_say() {
    (printf '%s\n' "$*") 2>/dev/null || :
}

# Called in a subshell: a signal that all processes of the group are sent must not take the time away.
fo_now() {
    trap '' INT TERM HUP QUIT
    date +%s
}

fo_complain() {
    case $1 in
        warning:*) printf '%s\n' "$1" >&2 ;;
        *) printf 'error: %s\n' "$1" >&2 ;;
    esac
    if [ -n "${2-}" ]; then
        printf '  help: %s\n' "$2" >&2
    fi
}

# Wrong use, or something is missing.
fo_refuse() {
    fo_complain "$@"
    exit 2
}

fo_refuse_root() {
    if [ "$(id -u)" = 0 ]; then
        fo_refuse "builds must not run as root: PostgreSQL and OpenERP refuse to" "run it as an ordinary user, such as: su -s /bin/sh -c 'sh $fo_script' USER; the base directory must be that user's"
    fi
}

# What a build must not see of whoever runs it: an activated Python, and what concerns another database or repository.
fo_forget_caller() {
    fo_path=
    fo_rest=$PATH:
    while [ -n "$fo_rest" ]; do
        fo_part=${fo_rest%%:*}
        fo_rest=${fo_rest#*:}
        case $fo_part in
            /*) ;;
            *) continue ;;
        esac
        if [ "$fo_part" = "${VIRTUAL_ENV:-/nowhere}/bin" ] || [ -f "$fo_part/../pyvenv.cfg" ]; then
            continue
        fi
        if [ -e "$fo_part/python" ] && [ -r "$fo_part/activate" ] && grep -q VIRTUAL_ENV "$fo_part/activate"; then
            continue
        fi
        fo_path=$fo_path${fo_path:+:}$fo_part
    done
    PATH=$fo_path
    export PATH
    unset VIRTUAL_ENV VIRTUAL_ENV_PROMPT PYTHONHOME PYTHONPATH PYTHONSTARTUP __PYVENV_LAUNCHER__ PYENV_VERSION \
        PYENV_VIRTUAL_ENV PYENV_ACTIVATE_SHELL PYENV_DIR GIT_ALTERNATE_OBJECT_DIRECTORIES GIT_COMMON_DIR GIT_CONFIG \
        GIT_CONFIG_PARAMETERS GIT_DIR GIT_GRAFT_FILE GIT_IMPLICIT_WORK_TREE GIT_INDEX_FILE GIT_INTERNAL_SUPER_PREFIX \
        GIT_NAMESPACE GIT_NO_REPLACE_OBJECTS GIT_OBJECT_DIRECTORY GIT_PREFIX GIT_QUARANTINE_PATH GIT_REPLACE_REF_BASE \
        GIT_SHALLOW_FILE GIT_WORK_TREE CDPATH ENV BASH_ENV
    for fo_variable in $(env | sed -n -e 's/^\(PG[A-Z][A-Za-z0-9_]*\)=.*/\1/p' -e 's/^\(CONDA_[A-Za-z0-9_]*\)=.*/\1/p'); do
        case $fo_variable in
            PGP_*) ;;
            *) unset "$fo_variable" ;;
        esac
    done
}

# fo_find_secret VARIABLE NAME ENVIRONMENT NEEDED: from the environment, where no step is to find it, or from a file.
fo_find_secret() {
    eval "fo_value=\${$3-}"
    unset "$3"
    if [ -z "$fo_value" ] && [ -n "$fo_secrets" ] && [ -f "$fo_secrets/$2" ]; then
        if [ -n "$(find -H "$fo_secrets/$2" -prune \( -perm -040 -o -perm -004 \))" ]; then
            fo_refuse "others can read the secret in $fo_secrets/$2" "chmod 600 $fo_secrets/$2"
        fi
        fo_value=$(cat "$fo_secrets/$2") || fo_refuse "the secret in $fo_secrets/$2 cannot be read"
    fi
    case $fo_value in
        *'
'*) fo_refuse "the secret $2 has several lines, and a password is one" ;;
    esac
    if [ -n "$fo_value" ]; then
        eval "$1=\$fo_value"
        fo_values="$fo_values$fo_value
"
    elif [ -n "$4" ]; then
        fo_lacked="$fo_lacked${fo_lacked:+, }$2 ($3)"
    fi
    fo_value=
}

fo_take_options() {
    fo_ended=
    while [ $# -gt 0 ]; do
        case $fo_ended$1 in
            end*) fo_option=builder fo_value=$1 ;;
            --basedir=* | --property=* | --secrets=*)
                fo_option=${1%%=*} fo_value=${1#*=}
                ;;
            --basedir | --property | --secrets)
                if [ $# -lt 2 ]; then
                    fo_refuse "$1 needs a value" "sh $fo_script --help"
                fi
                fo_option=$1 fo_value=$2
                shift
                ;;
            -h | --help)
                fo_usage
                exit 0
                ;;
            -l | --list)
                fo_list
                exit 0
                ;;
            --) fo_option=skip fo_value='' fo_ended=end ;;
            -*) fo_refuse "there is no option $1" "sh $fo_script --help" ;;
            *) fo_option=builder fo_value=$1 ;;
        esac
        shift
        case $fo_option in
            --basedir) fo_basedir=$fo_value ;;
            --secrets) fo_secrets=$fo_value ;;
            --property) fo_take_property "$fo_value" ;;
            builder)
                fo_find_builder "$fo_value"
                fo_named=1
                case " $fo_wanted " in
                    *" $fo_found "*) ;;
                    *) fo_wanted="$fo_wanted $fo_found" ;;
                esac
                ;;
        esac
    done
    if [ -z "$fo_wanted" ]; then
        fo_wanted=$fo_all
    fi
}

# fo_take_property NAME=VALUE
fo_take_property() {
    case $1 in
        *=*) ;;
        *) fo_refuse "\`$1\` is no property: it is written NAME=VALUE" ;;
    esac
    fo_value=${1#*=}
    case $fo_value in
        *[[:cntrl:]]*) fo_refuse "the value of ${1%%=*} has a control character in it" ;;
    esac
    fo_set_property "${1%%=*}" "$fo_value"
}

fo_use_basedir() {
    case $fo_basedir in
        /*) ;;
        *) fo_basedir=$PWD/$fo_basedir ;;
    esac
    case $fo_basedir in
        *[[:space:]]* | *[[:cntrl:]]* | *'"'* | *'$'* | *%* | *:* | *'['* | *']'* | *\\* | *'`'* | *'{'* | *'}'*)
            fo_refuse "$fo_basedir has a character in it at which builds break" "name another directory with --basedir; a blank and any of \" \$ % : [ ] \\ \` { } will not do"
            ;;
    esac
    fo_interpreter=$fo_basedir/$fo_longest/python/bin/python3.99
    if [ "${#fo_interpreter}" -gt 253 ]; then
        fo_refuse "$fo_basedir is too long: the first line of a script cannot hold the path of a builder's Python" "name a shorter directory with --basedir"
    fi
    if ! mkdir -p "$fo_basedir" || [ ! -w "$fo_basedir" ]; then
        fo_refuse "$fo_basedir cannot be written to" "name a directory of yours with --basedir"
    fi
    fo_basedir=$(cd "$fo_basedir" && pwd)
}

# What there is on this machine to make a group of processes, and to lock.
fo_look_around() {
    fo_flock=$(command -v flock)
    fo_setsid=$(command -v setsid)
    fo_env=$(command -v env)
    fo_perl=$(command -v perl)
    fo_python=$(command -v python3)
    if [ -n "$fo_setsid" ] && "$fo_env" --default-signal=INT,QUIT,PIPE true 2>/dev/null; then
        fo_leader='env'
    elif [ -n "$fo_perl" ]; then
        fo_leader='perl'
    elif [ -n "$fo_python" ]; then
        fo_leader='python3'
    elif [ -n "$fo_setsid" ]; then
        fo_leader='setsid'
    else
        fo_refuse "a step needs a group of processes of its own, and there is neither setsid nor perl nor python3 to make one" "install one of them"
    fi
    if sleep 0.01 2>/dev/null; then
        fo_moment=0.2
    else
        fo_moment=1
    fi
}

fo_stop=0 fo_wanted='' fo_named='' fo_secrets=${FARMOUT_SECRETS-} fo_values='' fo_lacked='' fo_exit=0 fo_summary=''
fo_pid='' fo_patience=1
fo_script=${0##*/}
