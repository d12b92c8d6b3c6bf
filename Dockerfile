# Builds everything from source: octo-operator, and helm and kubectl in the versions that devcluster/tools pins.
# With a container daemon: docker build --build-arg VERSION=v1.2.3 -t octo-operator .
# Without one, or without an image registry: make image.

FROM docker.io/library/golang:1.26-bookworm AS build
# How this machine gets Go modules, where it is not Go's own default. deploy/image fills these in.
ARG GOPROXY
ARG GOSUMDB
ARG GONOSUMDB
ARG GONOPROXY
ARG GOINSECURE
ARG GOFLAGS
ARG GOMODCACHE
ARG GOCACHE
ARG SSL_CERT_FILE
WORKDIR /src

# In the order of change, for a builder that keeps layers: helm and kubectl take 4 min on 2 cores. No RUN with two
# --mount for the caches: Debian 12's buildah (1.28.2) then deletes the whole root of the build.
COPY devcluster devcluster
RUN cd devcluster && tools=$(go run . tools helm kubectl) && cp -L "$tools/helm" "$tools/kubectl" /usr/local/bin/
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$VERSION" -o /usr/local/bin/octo-operator .

FROM docker.io/library/debian:bookworm-slim
# tini reaps what a killed script leaves behind. Group 0 may write, for clusters that give each pod a user id of its own.
RUN apt-get update -qq && \
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends ca-certificates tini && \
    apt-get clean && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log && \
    install -d -o 10001 -g 0 -m 0770 /var/lib/octo-operator
COPY --from=build /usr/local/bin/helm /usr/local/bin/kubectl /usr/local/bin/
COPY --from=build /usr/local/bin/octo-operator /usr/local/bin/

# All it writes goes below OPERATOR__STATEDIR, by default /var/lib/octo-operator: the root file system may be read-only.
ENV HOME=/var/lib/octo-operator
WORKDIR /var/lib/octo-operator
USER 10001
EXPOSE 5000 5001
ENTRYPOINT ["/usr/bin/tini", "--", "/usr/local/bin/octo-operator"]

ARG VERSION=dev
LABEL org.opencontainers.image.title="octo-operator" \
      org.opencontainers.image.description="Deploys the workloads of an OctoMesh Communication Controller with helm and kubectl" \
      org.opencontainers.image.version="$VERSION"
