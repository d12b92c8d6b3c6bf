package repository

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"os"
)

// maxArchive bounds an archive, in bytes. helm takes none that unpacks to more.
const maxArchive = 100 << 20

// Archives gets charts from repositories, as helm would, with a client that keeps the rules. It is safe for use by several goroutines.
type Archives struct {
	http  *http.Client
	rules Rules
}

// NewArchives returns what gets archives with client, which Rules.Guard has seen.
func NewArchives(client *http.Client, rules Rules) *Archives { return &Archives{client, rules} }

// Archive is what has come.
type Archive struct {
	Bytes  int64
	SHA256 string // 64 hex digits
}

// Download gets the archive at an address, http or https, and makes a file of it, which must not be there yet. The source's
// credentials go to its own host alone. The error is a *RefusedError, or says as helm does what has happened.
func (a *Archives) Download(ctx context.Context, from Source, address, file string) (Archive, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Archive{}, err
	}
	if repository, err := url.Parse(from.URL); err == nil && repository.Scheme == request.URL.Scheme && repository.Host == request.URL.Host {
		from.authorize(request)
	}
	request.Header.Set("Accept-Encoding", "identity") // or else net/http may unpack what is a packed file
	response, err := a.http.Do(request)
	if err != nil {
		return Archive{}, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return Archive{}, fmt.Errorf("failed to fetch %s : %s", Shown(address), response.Status)
	}
	if response.ContentLength > maxArchive {
		return Archive{}, tooLarge(response.ContentLength)
	}
	sum := sha256.New()
	bytes, err := write(response.Body, file, sum)
	return Archive{bytes, hex.EncodeToString(sum.Sum(nil))}, err
}

// authorize adds the source's credentials to a request.
func (s Source) authorize(request *http.Request) {
	if s.Username != "" {
		request.SetBasicAuth(s.Username, s.Password)
	}
}

func tooLarge(bytes int64) error {
	return refused("the archive has %d bytes, the limit is %d MiB: make the chart smaller", bytes, maxArchive>>20)
}

// write makes a file of at most maxArchive bytes, and tells sum of them. What is left after an error is no archive.
func write(from io.Reader, file string, sum hash.Hash) (int64, error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return 0, err
	}
	bytes, err := io.Copy(io.MultiWriter(f, sum), io.LimitReader(from, maxArchive+1))
	if err == nil && bytes > maxArchive {
		err = tooLarge(bytes)
	}
	return bytes, errors.Join(err, f.Close())
}

// DigestError is an archive that is not the one that the repository has announced.
type DigestError struct {
	Got, Want string
	In        string // what of the repository announces it: its index, its manifest
}

func (e *DigestError) Error() string {
	return fmt.Sprintf("the archive that it sends has the SHA-256 digest %s, and its %s says %s: publish the chart again, with a new %s", e.Got, e.In, e.Want, e.In)
}
