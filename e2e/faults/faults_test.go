package faults

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

var (
	long   = flag.Bool("long", false, "run the long variants")
	binary = flag.String("tagmill", "", "the tagmill binary to test; empty: built from this tree")
)

// TestMain builds the binary once.
func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(withBinary(m))
}

func withBinary(m *testing.M) int {
	if *binary != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "tagmill-faults-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	*binary = filepath.Join(dir, "tagmill")
	build := exec.Command("go", "build", "-trimpath", "-o", *binary, "github.com/tagmill/tagmill/cmd/tagmill")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build tagmill: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// eventually asks until done says so, and fails the test with what it last
// said instead.
func eventually(t *testing.T, what string, done func() (ok bool, got any)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, got := done()
		if ok {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not within a minute; last: %v", what, got)
		case <-tick.C:
		}
	}
}
