package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// sbomCommand writes what an image consists of as SPDX 2.3 in JSON, for scanners. It reads only the image's files: Go stores in each
// program the modules of which it is made, and Debian's packages are listed in var/lib/dpkg/status.d.
func sbomCommand(args []string) error {
	flags := flag.NewFlagSet("sbom", flag.ContinueOnError)
	version := flags.String("version", "dev", "`version` of the operator, which a program built from its own source does not know")
	out := flags.String("out", "", "the `file` to write")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return fmt.Errorf("cannot read the flags of sbom: %w", err)
	}
	if *out == "" || flags.NArg() == 0 {
		return errors.New("no file or no folder given, usage: devcluster sbom --version V --out FILE DIR [DIR...]")
	}
	b := newBill(*version)
	for _, root := range flags.Args() {
		if err := errors.Join(b.addPrograms(filepath.Join(root, "usr/local/bin")), b.addDebian(filepath.Join(root, "var/lib/dpkg/status.d"))); err != nil {
			return fmt.Errorf("cannot list what %s consists of: %w", root, err)
		}
	}
	text, err := b.document()
	if err == nil {
		err = os.MkdirAll(filepath.Dir(*out), 0o755)
	}
	if err == nil {
		err = os.WriteFile(*out, text, 0o644)
	}
	if err != nil {
		return fmt.Errorf("cannot write the SBOM: %w", err)
	}
	return nil
}

// spdxPackage is a program, a module or a package of Debian, with the names that SPDX has for its fields.
type spdxPackage struct {
	ID               string         `json:"SPDXID"`
	Name             string         `json:"name"`
	Version          string         `json:"versionInfo,omitempty"`
	DownloadLocation string         `json:"downloadLocation"`
	FilesAnalyzed    bool           `json:"filesAnalyzed"`
	Checksums        []spdxChecksum `json:"checksums,omitempty"`
	References       []spdxRef      `json:"externalRefs,omitempty"`
}

type spdxChecksum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"checksumValue"`
}

type spdxRef struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type spdxRelationship struct {
	From string `json:"spdxElementId"`
	Type string `json:"relationshipType"`
	To   string `json:"relatedSpdxElement"`
}

// bill collects the contents of an image.
type bill struct {
	version       string
	packages      map[string]spdxPackage // by id
	relationships []spdxRelationship
}

const imageID = "SPDXRef-image"

func newBill(version string) *bill {
	b := &bill{version: version, packages: map[string]spdxPackage{}}
	b.add("image", spdxPackage{ID: imageID, Name: "octo-operator-image", Version: version})
	b.relate("SPDXRef-DOCUMENT", "DESCRIBES", imageID)
	return b
}

var notInID = regexp.MustCompile(`[^a-zA-Z0-9.-]+`)

// add adds a package under an id of its kind, name and version, so that a module of several programs is listed once.
func (b *bill) add(kind string, p spdxPackage) (id string) {
	if p.ID == "" {
		p.ID = "SPDXRef-" + notInID.ReplaceAllString(kind+"-"+p.Name+"-"+p.Version, "-")
	}
	p.DownloadLocation = "NOASSERTION"
	b.packages[p.ID] = p
	return p.ID
}

func (b *bill) relate(from, how, to string) {
	b.relationships = append(b.relationships, spdxRelationship{from, how, to})
}

func purl(locator string) []spdxRef { return []spdxRef{{"PACKAGE-MANAGER", "purl", locator}} }

// addPrograms adds the Go programs of a folder and their modules. Other programs come from packages of Debian.
func (b *bill) addPrograms(folder string) error {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(folder, e.Name())
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			continue
		}
		if err := b.addProgram(path, info); err != nil {
			return err
		}
	}
	return nil
}

func (b *bill) addProgram(path string, info *buildinfo.BuildInfo) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	program := spdxPackage{Name: filepath.Base(path), Version: b.version, Checksums: []spdxChecksum{{"SHA256", fmt.Sprintf("%x", sha256.Sum256(text))}}}
	modules := map[string]string{"stdlib": strings.TrimPrefix(info.GoVersion, "go")}
	if info.Main.Sum != "" { // built from a downloaded module, as helm is, and not from a folder
		program.Version = info.Main.Version
		modules[info.Main.Path] = info.Main.Version
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		modules[m.Path] = m.Version
	}
	id := b.add("program", program)
	b.relate(imageID, "CONTAINS", id)
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		version := modules[name]
		b.relate(id, "DEPENDS_ON", b.add("go", spdxPackage{Name: name, Version: version, References: purl("pkg:golang/" + name + "@" + url.PathEscape(version))}))
	}
	return nil
}

// addDebian adds the packages of Debian of which the image has files.
func (b *bill) addDebian(folder string) error {
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		fields := map[string]string{}
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ": "); ok {
				fields[name] = strings.TrimSpace(value)
			}
		}
		name, version := fields["Package"], fields["Version"]
		if name == "" || version == "" {
			return fmt.Errorf("%s names no package and version", file)
		}
		locator := "pkg:deb/debian/" + name + "@" + url.QueryEscape(version) + "?arch=" + fields["Architecture"]
		b.relate(imageID, "CONTAINS", b.add("deb", spdxPackage{Name: name, Version: version, References: purl(locator)}))
	}
	return nil
}

// document is the same whenever it is made for the same image: it contains no time and nothing random.
func (b *bill) document() ([]byte, error) {
	packages := slices.SortedFunc(maps.Values(b.packages), func(p, q spdxPackage) int { return strings.Compare(p.ID, q.ID) })
	content, err := json.Marshal(packages)
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(map[string]any{
		"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": "octo-operator-" + b.version,
		"documentNamespace": fmt.Sprintf("https://spdx.org/spdxdocs/octo-operator-%s-%x", url.PathEscape(b.version), sha256.Sum256(content)),
		"creationInfo":      map[string]any{"created": "1970-01-01T00:00:00Z", "creators": []string{"Tool: octo-operator-devcluster"}},
		"packages":          packages,
		"relationships":     b.relationships,
	}, "", " ")
}
