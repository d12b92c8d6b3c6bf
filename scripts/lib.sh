# Helpers for the scripts: . "$OCTO_LIB"

# quote prints its arguments as a command line that can be pasted into a shell.
quote() {
    for word do
        case $word in
            *\'*)
                word=$(printf '%s.' "$word" | sed "s/'/'\\\\''/g") # the dot keeps newlines at the end
                word="'${word%.}'"
                ;;
            '' | *[!A-Za-z0-9_./:=@%+,-]*) word="'$word'" ;;
        esac
        printf '%s ' "$word"
    done
}

# announce tells the operator's log which command runs next. The log's cmd attribute is what follows the plus.
announce() {
    line=$(quote "$@")
    [ -z "${KUBECONFIG-}" ] || line="KUBECONFIG=$(quote "$KUBECONFIG")$line"
    printf '+ %s\n' "${line% }" >&2
}

# run announces a command and runs it.
run() {
    announce "$@"
    "$@"
}

# finish announces a command and becomes it: for the last one, so that a stop reaches it at once.
finish() {
    announce "$@"
    exec "$@"
}

# die ends the script with a reason.
die() {
    printf 'Error: %s\n' "$*" >&2
    exit 1
}
