# Prints the error of a failing helm, without secrets: . "${OCTO_LIB%/*}/relay.sh"
#
# The error of a failing template may hold what the template has read in the cluster (lookup), for example a Secret, and many people read the log
# and the status. So it is printed only if helm prints the same error without access to the cluster.

# relay WORDS prints helm's error, or a replacement.
relay() {
    case $1 in
        *'execution error at ('* | *'executing "'* | *'error calling '* | *'parse error'* | *'error converting YAML'* | *'error merging '*)
            alone=$(without_cluster 2>&1 >/dev/null) && alone=''
            if [ "$(cause "$1")" = "$(cause "$alone")" ]; then
                set -- "$alone"
            else
                set -- "$(withheld "$1")"
            fi
            ;;
    esac
    printf '%s\n' "$1" >&2
}

# without_cluster renders the chart without access to the cluster. helm gets only the cluster's version and its kinds.
without_cluster() {
    [ "$OCTO_UPGRADE" = false ] || set -- --is-upgrade
    # shellcheck disable=SC2046 # each line is one argument
    helm template "$OCTO_RELEASE" chart.tgz --namespace "$OCTO_NAMESPACE" --values values.yaml "$@" --include-crds \
        $(kubectl get --raw /version | sed -n 's/.*"gitVersion": *"\([^"]*\)".*/--kube-version=\1/p') \
        $(kubectl api-versions | sed 's/^/--api-versions=/')
}

# cause removes the prefixes by which helm's commands begin the same error differently.
cause() { printf '%s\n' "$1" | sed -n '/^Error: /,$p' | sed 's/^Error: //; s/^UPGRADE FAILED: //; s/^INSTALLATION FAILED: //'; }

# withheld prints the replacement. It names the reason if a lookup was refused or forbidden, or if the API server could not be reached.
withheld() {
    case $1 in
        *'is forbidden: octo-operator: '*) why='it looks up (lookup) Secrets that are not its release'"'s, which is forbidden: octo-operator: take the lookup out of the chart" ;;
        *'is forbidden: User '*) why='it looks something up (lookup) that is Forbidden to helm' ;;
        *'error calling lookup: '*': connect: connection refused'*) why='it looks something up (lookup), and the API server cannot be reached: connection refused' ;;
        *) why='they depend on what it has read in the cluster (lookup), which may be secret' ;;
    esac
    printf 'Error: a template of the chart fails, and its words are not repeated here: %s: who may read the cluster sees them with the helm template command of this run, which is in the log' "$why"
}
