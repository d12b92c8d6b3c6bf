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

// maxArchive is the largest archive in bytes. helm accepts no chart that unpacks to more.
const maxArchive = 100 << 20

// Archives downloads charts from repositories and registries as helm would, by the rules. Its methods may be called by several
// goroutines.
type Archives struct {
	http  *http.Client
	rules Rules
}

// NewArchives returns Archives that use client, on which Rules.Guard must have been called.
func NewArchives(client *http.Client, rules Rules) *Archives { return &Archives{client, rules} }

// Archive describes a downloaded archive.
type Archive struct {
	Bytes  int64
	SHA256 string // 64 hex digits in lower case
}

// Download gets the archive at an http or https address and writes it to file, which must not exist yet. The source's credentials are
// sent only to the source's own scheme and host. The error is a *RefusedError, or has helm's words for what happened. After an error,
// file may be incomplete.
func (a *Archives) Download(ctx context.Context, from Source, address, file string) (Archive, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return Archive{}, err
	}
	if repository, err := url.Parse(from.URL); err == nil && repository.Scheme == request.URL.Scheme && repository.Host == request.URL.Host {
		from.authorize(request)
	}
	request.Header.Set("Accept-Encoding", "identity") // otherwise net/http may decompress the archive
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

// write writes at most maxArchive bytes to a new file and to sum. After an error the file is incomplete.
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

// DigestError says that an archive has another digest than its repository has published.
type DigestError struct {
	Got, Want string
	In        string // where the expected digest stands: "index" or "manifest"
}

func (e *DigestError) Error() string {
	return fmt.Sprintf("the archive that it sends has the SHA-256 digest %s, and its %s says %s: publish the chart again, with a new %s", e.Got, e.In, e.Want, e.In)
}
