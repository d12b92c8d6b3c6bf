# Renders a chart and checks the manifest, without changing the cluster: . "${OCTO_LIB%/*}/check.sh", after relay.sh

unknown_fields=--disable-openapi-validation # the dry run finds unknown fields; for helm, downloading the schema would be most of the work
upgrade=''
force=''
[ "$OCTO_UPGRADE" = false ] || upgrade=yes
[ "$OCTO_DRY_RUN_FORCES" = false ] || force=yes

# render RELEASE CHART FLAGS… makes the manifest, with hooks and the chart's CRDs. The CRDs are included because helm upgrade creates whatever is in crds/ before it
# renders, so it must be checked here too. If the chart brings a kind that it also uses or looks up, helm cannot render with the cluster, which does
# not have the kind yet; then the chart is rendered without the cluster.
render() {
    set -- "$@" "$unknown_fields" ${upgrade:+--is-upgrade} --include-crds
    announce helm template "$@" --dry-run=server
    ! said=$(helm template "$@" --dry-run=server 2>&1 >manifest.yaml) || return 0
    unknown_fields=
    case $said in
        *'no matches for kind'* | *'could not find the requested resource'*) ! said=$(without_cluster 2>&1 >manifest.yaml) || return 0 ;;
    esac
    relay "$said"
    exit 1
}

# ask sends objects to the API server as a dry run, and ends the script if they are refused. If the API server cannot tell (the chart itself brings
# the namespace or the kind, or a webhook does not support dry runs), helm decides, with its own validation. A duplicate variable or port is an error
# only if helm will use server-side apply too, which helm 3 never does, and helm 4 does except for releases that helm 3 has made.
ask() {
    announce kubectl "$@"
    ! said=$(kubectl "$@" 2>&1 >looked.txt) || return 0
    case ${force:-no}:$said in
        *'no matches for kind'* | *' not found'* | *'does not support dry run'* | *'does not match the namespace'* | \
            *'no objects passed'* | yes:*'duplicate entries for key'*)
            unknown_fields=
            printf 'the API server cannot tell yet, helm decides: %s\n' "$said"
            ;;
        *)
            printf '%s\n' "$said" >&2
            exit 1
            ;;
    esac
}

# check_manifest checks what render has made, and leaves in the file what helm applies as the release.
check_manifest() {
    if [ -s manifest.yaml ]; then
        "$OCTO_OPERATOR" look manifest.yaml # refuses objects that would touch other releases or the operator; removes hooks and CRDs from the file
    else
        unknown_fields=
    fi
    [ -z "$unknown_fields" ] || ask apply --server-side --dry-run=server --validate=false --field-manager helm \
        ${OCTO_AS:+"--as=$OCTO_AS"} ${force:+--force-conflicts} --namespace "$OCTO_NAMESPACE" -f "$PWD/manifest.yaml"
}
