// Package bounds holds the limits for documents that somebody else wrote: a tenant, a chart, a chart repository, the cluster. Each
// constant says why it has its value. All readers of such documents use these limits, and check a text before they parse it, because a
// parser can need a hundred times the memory of the text.
//
//	if err := bounds.YAML(values); err != nil { // before any YAML parser sees it
//		return fmt.Errorf("cannot use the values: %w", err)
//	}
//	text, err := bounds.ReadAll(response.Body, bounds.Answer)
//
// Together the limits keep the operator below 150 MiB, whatever one event or one chart holds (e2e:
// TestTheOperatorStaysSmallWhateverAnEventOrAChartHolds).
package bounds

// Limits for values documents: the values of an event, and a chart's values.yaml.
const (
	// Document is the largest values document in bytes: as text, with its aliases written out, and merged. helm 3 reads no file of a
	// chart that is larger than 5 MiB. For comparison: the values of kube-prometheus-stack have 200 KB.
	Document = 5 << 20

	// Values is the largest number of values in one document. Merging one value takes up to 3 KiB, even if its text is only "{},". The
	// largest values.yaml of a public chart has some ten thousand values.
	Values = 50_000

	// SchemaValues is the largest number of values in a values.schema.json. It may be higher than Values, because a schema is JSON and is
	// only searched, not merged. Schemas that are generated from Kubernetes' own types have tens of thousands of values.
	SchemaValues = 100_000

	// Depth is the deepest nesting of maps and lists. Values that people write have fewer than 20 levels.
	Depth = 100

	// Overrides is the largest number of single values (overrides) that an event may set; people set about ten. Path is the longest path
	// of an override in bytes; people write fewer than 200.
	Overrides = 2000
	Path      = 4096

	// Documents is the largest number of YAML documents in one values text. Each of them costs a parser, even an empty one.
	Documents = 1000
)

// Limits for chart archives. helm takes no chart larger than 100 MiB either, and helm 3 no file larger than 5 MiB. The largest public
// charts have some hundred files.
const (
	// Unpacked is the largest size in bytes of an unpacked archive. An archive of a few hundred KB can unpack to 64 GiB.
	Unpacked   = 100 << 20
	ChartFile  = 5 << 20 // bytes of a file that the operator reads
	ChartFiles = 10_000  // files in an archive
	FileName   = 1024    // bytes of a file's name in an archive; the names in charts have fewer than 200
)

// Limits for manifests: what helm renders from a chart, in a dry run or in the cluster. helm keeps a release in a Secret, which holds 1
// MiB of compressed text. The largest objects are definitions of custom resources, with up to 2 MB.
const (
	Manifest      = 16 << 20 // bytes of the whole manifest
	Objects       = 10_000   // objects in a manifest, and also documents
	ObjectPlaces  = 1 << 17  // Places of one document; each may become two YAML nodes of 160 bytes
	ManifestTotal = 1 << 20  // Places of all documents together: they decide how long parsing takes
)

// Limits for answers of the API server.
const (
	// Answer is the largest answer in bytes. The metadata of 10,000 releases, which is all that the operator lists, has 8 MiB.
	Answer = 32 << 20
	// Release is the largest size in bytes of one unpacked revision of a release: the chart with all its files, the values and the
	// manifest.
	Release = 64 << 20
)

// Limits for changes.diff, which shows what a deploy changes. Objects beyond them are named there and not compared.
const (
	// Compared is the largest number of objects of one release that are compared. Each costs the API server two requests. Large charts have some
	// hundred objects.
	Compared = 500
	// ComparedObject is the largest object in bytes. etcd takes 1.5 MiB, of which half may be managedFields.
	ComparedObject = 1 << 20
	// ComparedValues is the largest number of values in an object. A decoded value takes about 100 bytes, and four objects are compared at a time.
	ComparedValues = 20_000
	// ObjectDiff is the largest diff of one object, and Diff that of a whole deploy, in bytes: people read them.
	ObjectDiff = 64 << 10
	Diff       = 512 << 10
)

// Event is the largest message of the controller in bytes: 4 MiB of values and the overrides, as JSON, where a quote or a line end takes
// two bytes.
const Event = 16 << 20
