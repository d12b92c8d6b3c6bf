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

# announce tells the operator's log which command runs next. OCTO_ANNOUNCE is what the operator knows announcements by: another
# text in each run, so that nothing that a chart makes helm print passes for one. In a terminal it is a plus. The kubeconfig of a run
# ends with it (OCTO_KUBECONFIG is the operator's): what is announced can be typed later.
announce() {
    line=$(quote "$@")
    kubeconfig=${OCTO_KUBECONFIG-${KUBECONFIG-}}
    [ -z "$kubeconfig" ] || line="KUBECONFIG=$(quote "$kubeconfig")$line"
    printf '%s %s\n' "${OCTO_ANNOUNCE:-+}" "${line% }" >&2
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

# script runs another script, through the shell where nothing may be executed.
script() {
    if [ -x "$1" ]; then "$1"; else sh "$1"; fi
}

# die ends the script with a reason.
die() {
    printf 'Error: %s\n' "$*" >&2
    exit 1
}

# on_server tells whether helm applies a release on the API server's side: helm 4 does, but goes on as it was with what helm 3 has
# made. Only there are conflicts, and only there may helm be told to force them.
on_server() {
    [ "$OCTO_HELM" != 3 ] || return 1
    [ "${OCTO_UPGRADE:-true}" = true ] || return 0 # there is no such release yet
    method=$(helm get metadata "$@" --output json) || exit 1
    case $method in *'"applyMethod":"ssa"'*) return 0 ;; *) return 1 ;; esac
}
