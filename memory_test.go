package main

import (
	"os"
	"regexp"
	"strconv"
	"testing"
)

func TestTheProgramWorksOnWithoutThePagesThatOnlyItsStartHasNeeded(t *testing.T) {
	before := residentFiles(t)
	giveBackStartPages()
	if after := residentFiles(t); after >= before {
		t.Errorf("%d KiB of files were mapped, and %d are", before, after)
	}
}

var rssFile = regexp.MustCompile(`RssFile:\s+(\d+) kB`)

func residentFiles(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	kibibytes, err := strconv.Atoi(string(rssFile.FindSubmatch(status)[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kibibytes
}
