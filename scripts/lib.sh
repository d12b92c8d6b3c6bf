# Helpers for the scripts: . "$OCTO_LIB". Their own variables begin with octo_, so that they overwrite none of a script.

# quote sets octo_quoted to its arguments as a command line that can be pasted into a shell. Only a word with a quote in it costs a process.
quote() {
    octo_quoted=''
    for octo_word do
        case $octo_word in
            *\'*)
                octo_word=$(printf '%s.' "$octo_word" | sed "s/'/'\\\\''/g") # the dot keeps newlines at the end
                octo_word="'${octo_word%.}'"
                ;;
            '' | *[!A-Za-z0-9_./:=@%+,-]*) octo_word="'$octo_word'" ;;
        esac
        octo_quoted="$octo_quoted$octo_word "
    done
}

# announce writes a line from which the operator logs the command that runs next. The line begins with OCTO_ANNOUNCE, which is different in each
# run, so that a chart cannot make helm print such a line. In a terminal it begins with a plus. The command can be typed later, so it names the
# operator's own kubeconfig (OCTO_KUBECONFIG) and not that of the run, which works only until the run ends.
announce() {
    quote "$@"
    octo_line=$octo_quoted
    octo_kubeconfig=${OCTO_KUBECONFIG-${KUBECONFIG-}}
    if [ -n "$octo_kubeconfig" ]; then
        quote "$octo_kubeconfig"
        octo_line="KUBECONFIG=$octo_quoted$octo_line"
    fi
    printf '%s %s\n' "${OCTO_ANNOUNCE:-+}" "${octo_line% }" >&2
}

# run announces a command and runs it.
run() {
    announce "$@"
    "$@"
}

# finish announces the last command of a script and execs it, so that a stop reaches it at once.
finish() {
    announce "$@"
    exec "$@"
}

# script runs another script, with sh if the file may not be executed.
script() {
    if [ -x "$1" ]; then "$1"; else sh "$1"; fi
}

# die ends the script with a reason.
die() {
    printf 'Error: %s\n' "$*" >&2
    exit 1
}

# on_server tells whether helm uses server-side apply for a release. helm 4 does, except for releases that helm 3 has made. Only server-side apply
# has conflicts, and only with it helm accepts --force-conflicts.
on_server() {
    [ "$OCTO_HELM" != 3 ] || return 1
    [ "${OCTO_UPGRADE:-true}" = true ] || return 0 # the release does not exist yet
    octo_method=$(helm get metadata "$@" --output json) || exit 1
    case $octo_method in *'"applyMethod":"ssa"'*) return 0 ;; *) return 1 ;; esac
}
