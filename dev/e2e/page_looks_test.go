package e2e

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// readable finds text without contrast (WCAG asks for 4.5:1), and a page that is wider than the window.
func (p statusPage) readable(where string) {
	p.world.Helper()
	if wide := p.eval(`document.documentElement.scrollWidth - innerWidth`); strings.HasPrefix(wide, "-") == false && wide != "0" {
		p.world.Errorf("%s: it is %s pixels too wide", where, wide)
	}
	if faint := p.eval(faintTexts); faint != "" {
		p.world.Errorf("%s: hard to read:\n%s", where, faint)
	}
}

// faintTexts returns a line for each element with text whose contrast to its background is below 4.5:1.
const faintTexts = `(() => {
	const rgb = text => text.match(/[\d.]+/g).map(Number);
	const light = ([r, g, b]) => [r, g, b].map(c => c / 255).map(c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
	const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
	const own = e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
	const faint = [];
	for (const e of document.body.querySelectorAll('*')) {
		if (!own(e) || !e.getClientRects().length || e.closest('.unseen, .skip, noscript, option')) continue;
		const style = getComputedStyle(e), text = rgb(e instanceof SVGElement ? style.fill : style.color);
		const [a, b] = [light(text), light(behind(e))].sort((x, y) => y - x), contrast = (a + 0.05) / (b + 0.05);
		if (contrast < 4.5) faint.push(contrast.toFixed(1) + ' ' + e.tagName + '.' + (e.getAttribute('class') ?? '') + ' ' + e.textContent.slice(0, 40));
	}
	return faint.slice(0, 10).join('\n');
})()`

// fewColours returns a PNG picture with at most 256 colours, the most frequent ones: a page looks the same, and has a third of the bytes.
func fewColours(t *testing.T, picture []byte) []byte {
	t.Helper()
	full, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	counts := map[color.Color]int{}
	for y := full.Bounds().Min.Y; y < full.Bounds().Max.Y; y++ {
		for x := full.Bounds().Min.X; x < full.Bounds().Max.X; x++ {
			counts[full.At(x, y)]++
		}
	}
	colours := slices.SortedFunc(maps.Keys(counts), func(a, b color.Color) int { return counts[b] - counts[a] })
	few := image.NewPaletted(full.Bounds(), colours[:min(256, len(colours))])
	draw.Draw(few, few.Bounds(), full, full.Bounds().Min, draw.Src)
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, few); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// keepPicture writes a picture for the documentation with -update; otherwise it checks that there is one.
func (p statusPage) keepPicture(name string) {
	p.world.Helper()
	file := filepath.Join("../../docs", name)
	const most = 150 << 10 // bytes: it is in every clone of the repository
	picture := fewColours(p.world.T, p.picture())
	if len(picture) > most {
		p.world.Errorf("%s has %d bytes, the limit is %d", name, len(picture), most)
	}
	if *update {
		p.must(os.WriteFile(file, picture, 0o644))
	}
	if _, err := os.Stat(file); err != nil {
		p.world.Errorf("%v: -update makes it", err)
	}
}
