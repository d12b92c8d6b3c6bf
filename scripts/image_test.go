package scripts

import (
	"os"
	"os/exec"
	"testing"
)

// imageTools names the variable with the folder of the programs that the container image has: all are busybox.
const imageTools = "SCRIPTS_TEST_TOOLS"

func TestAllOfThisHoldsForTheProgramsOfTheImage(t *testing.T) {
	if testing.Short() {
		t.Skip("runs all tests of this package once more, and needs busybox")
	}
	if os.Getenv(imageTools) != "" {
		return // this is the run below
	}
	tools := t.TempDir()
	if out, err := exec.Command("busybox", "--install", "-s", tools).CombinedOutput(); err != nil {
		t.Fatalf("cannot install busybox: %v: apt-get install -y busybox-static\n%s", err, out)
	}
	again := exec.Command(os.Args[0])
	again.Env = append(os.Environ(), imageTools+"="+tools)
	if out, err := again.CombinedOutput(); err != nil {
		t.Errorf("with busybox's shell and tools: %v\n%s", err, out)
	}
}
