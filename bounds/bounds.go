// Package bounds is what a document may be that somebody else has made: a tenant, a chart, its repository, the cluster. Every reader of such
// documents takes its limits from here, and looks at a text before it parses it: a parser needs a hundred times the memory of the worst texts.
//
// Together they keep the operator below 150 MiB, whatever one event or one chart holds (e2e: TestTheOperatorStaysSmallWhateverAnEventOrAChartHolds).
package bounds

// Values: what an event brings, and a chart's values.yaml.
const (
	// Document is the size in bytes of one values document: as text, with its aliases written out, and merged. helm 3 reads no file of a
	// chart beyond 5 MiB. The values of kube-prometheus-stack have 200 KB.
	Document = 5 << 20

	// Values is how many values one document may hold: each takes up to 3 KiB on the way, even if its text is "{},". The largest
	// values.yaml of a public chart has some ten thousand.
	Values = 50_000

	// SchemaValues is the same for a values.schema.json, which is JSON and read for two questions. Those that are made from the
	// schemas of Kubernetes' own objects have tens of thousands.
	SchemaValues = 100_000

	// Depth is how deep maps and lists may be nested. Values that people write stay below 20.
	Depth = 100

	// Overrides is how many single values an event may set; people set some ten. Path is the size in bytes of the path of one: those that
	// people write stay below 200.
	Overrides = 2000
	Path      = 4096

	// Documents is how many documents one stream of values may hold: each costs a parser, even if it is empty.
	Documents = 1000
)

// Archives of charts. helm takes no chart beyond 100 MiB either, helm 3 no file beyond 5 MiB; the largest public charts have some hundred files.
const (
	// Unpacked is what an archive may unpack to, in bytes. One of a few hundred KB can stand for 64 GiB.
	Unpacked   = 100 << 20
	ChartFile  = 5 << 20 // bytes of a file that is looked at
	ChartFiles = 10_000
	FileName   = 1024 // bytes of a file's name in an archive; those of charts stay below 200
)

// Manifests: what helm makes of a chart, from its dry run and from the cluster. Helm keeps a release in a Secret, which holds a MiB packed;
// definitions of custom resources, the largest objects that there are, have 2 MB.
const (
	Manifest      = 16 << 20 // bytes
	Objects       = 10_000   // of a manifest, and documents
	ObjectPlaces  = 1 << 17  // of one document, see Places; each may become two YAML nodes of 160 bytes
	ManifestTotal = 1 << 20  // places of all its documents: what reading them costs in time
)

// What the API server answers.
const (
	// Answer is the size in bytes of one answer. 10,000 releases have 8 MiB as metadata, in which they are asked for.
	Answer = 32 << 20
	// Release is what a revision of a release may unpack to: the chart with all its files, the values and the manifest.
	Release = 64 << 20
)

// Event is the size in bytes of one message of the controller: values of 4 MiB and overrides, in JSON, in which each quote and each line
// end has two bytes.
const Event = 16 << 20
