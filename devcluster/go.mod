module octo-operator/devcluster

go 1.26.0

require (
	github.com/google/go-containerregistry v0.22.1
	golang.org/x/mod v0.39.0
	golang.org/x/sys v0.47.0
)
