# What workload-deploy repeats of a failing helm's words: . "$(dirname "$OCTO_LIB")/relay.sh"
#
# What a template says may be what it has read in the cluster (lookup), a Secret for example, and many read the log and the status.
# So its words are told where helm says the same without a cluster, and else not at all.

# relay WORDS hands on what helm has said.
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

# without_cluster renders the chart where helm is told of the cluster no more than its version and its kinds.
without_cluster() {
    [ "$OCTO_UPGRADE" = false ] || set -- --is-upgrade
    # shellcheck disable=SC2046 # each is a word
    helm template "$OCTO_RELEASE" chart.tgz --namespace "$OCTO_NAMESPACE" --values values.yaml "$@" --include-crds \
        $(kubectl get --raw /version | sed -n 's/.*"gitVersion": *"\([^"]*\)".*/--kube-version=\1/p') \
        $(kubectl api-versions | sed 's/^/--api-versions=/')
}

# cause leaves out how each of helm's commands begins the same error.
cause() { printf '%s\n' "$1" | sed -n '/^Error: /,$p' | sed 's/^Error: //; s/^UPGRADE FAILED: //; s/^INSTALLATION FAILED: //'; }

# withheld is what is said instead. It tells of a look-up that was refused, and of the two failures that no chart is to blame for.
withheld() {
    case $1 in
        *'is forbidden: octo-operator: '*) why='it looks up (lookup) Secrets that are not its release'"'s, which is forbidden: octo-operator: take the lookup out of the chart" ;;
        *'is forbidden: User '*) why='it looks something up (lookup) that is Forbidden to helm' ;;
        *'error calling lookup: '*': connect: connection refused'*) why='it looks something up (lookup), and the API server cannot be reached: connection refused' ;;
        *) why='they depend on what it has read in the cluster (lookup), which may be secret' ;;
    esac
    printf 'Error: a template of the chart fails, and its words are not repeated here: %s: who may read the cluster sees them with the helm template command of this run, which is in the log' "$why"
}
