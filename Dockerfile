# For linux/amd64 and linux/arm64. Everything is built from source, octo-operator as well as helm and kubectl in the
# versions that dev/devcluster/tools pins; nothing is emulated.
# With a container daemon: docker buildx build --platform linux/amd64,linux/arm64 --build-arg VERSION=v1.2.3 -t octo-operator .
# Without one, or without an image registry: make image.

FROM --platform=$BUILDPLATFORM docker.io/library/golang:1.26-bookworm AS build
# How this machine gets Go modules, if not by Go's defaults. deploy/image sets these.
ARG GOPROXY
ARG GOSUMDB
ARG GONOSUMDB
ARG GONOPROXY
ARG GOINSECURE
ARG GOFLAGS
ARG GOMODCACHE
ARG GOCACHE
ARG SSL_CERT_FILE
ARG TARGETARCH
WORKDIR /src

# What changes least comes first, for builders and nodes that keep layers: a new operator is a layer of 10 MB. The same files
# get the same time, so that an unchanged layer keeps its digest. No RUN has two --mount for the caches: Debian 12's buildah
# (1.28.2) would delete the whole root of the build.
COPY deploy/rootfs deploy/rootfs
RUN deploy/rootfs /image/base "$TARGETARCH" && find /image/base -exec touch -h -d @0 {} +
COPY dev/devcluster dev/devcluster
RUN cd dev/devcluster && go run . image --arch "$TARGETARCH" --out /image/tools helm kubectl && \
    find /image/tools -exec touch -h -d @0 {} +
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN cd dev/devcluster && go run . image --arch "$TARGETARCH" --out /image/operator --operator ../.. --version "$VERSION" && \
    go run . sbom --version "$VERSION" --out /image/operator/usr/share/sbom/octo-operator.spdx.json /image/base /image/tools /image/operator && \
    find /image/operator -exec touch -h -d @0 {} +

FROM scratch
COPY --from=build /image/base /
COPY --from=build /image/tools /
COPY --from=build /image/operator /

# The root may be read-only, and any user may be set: all files are written below OPERATOR__STATEDIR, by default this folder. tini
# reaps the processes that a killed script leaves behind.
ENV PATH=/usr/local/bin:/usr/bin HOME=/var/lib/octo-operator
WORKDIR /var/lib/octo-operator
USER 10001:0
EXPOSE 5000 5001
ENTRYPOINT ["/usr/local/bin/tini", "--", "/usr/local/bin/octo-operator"]

ARG VERSION=dev
ARG REVISION
LABEL org.opencontainers.image.title="octo-operator" \
      org.opencontainers.image.description="Deploys the workloads of an OctoMesh Communication Controller with helm and kubectl" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
