package disk

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"

	"github.com/tagmill/tagmill/events/eventlog"
	"github.com/tagmill/tagmill/events/eventlog/logtest"
)

const killEnv = "EVENTLOG_TEST_APPEND"

// TestMain is also the process that TestKills kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv(killEnv); dir != "" {
		fmt.Fprintln(os.Stderr, appendUntilKilled(dir, os.Getenv(killEnv+"_FROM")))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// appendUntilKilled appends from several goroutines and prints the number of
// each record once it is acknowledged.
func appendUntilKilled(dir, from string) error {
	next, err := strconv.Atoi(from)
	if err != nil {
		return err
	}
	l, err := Open(context.Background(), Options{Dir: dir, memTableBytes: 256 << 10})
	if err != nil {
		return err
	}
	var mu sync.Mutex // of next and of the lines printed
	errs := make(chan error)
	for range 8 {
		go func() {
			for {
				mu.Lock()
				n := next
				next++
				mu.Unlock()
				if err := l.Append(context.Background(), logtest.Records(n, 1)); err != nil {
					errs <- err
					return
				}
				mu.Lock()
				fmt.Println(n)
				mu.Unlock()
			}
		}()
	}
	return <-errs
}

// A process killed at any moment loses nothing that it acknowledged.
func TestKills(t *testing.T) {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(uint64(os.Getpid()), 1))
	acked := map[int]bool{}
	from := 0
	for kill := range 12 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), killEnv+"="+dir, killEnv+"_FROM="+strconv.Itoa(from))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for left := 1 + rng.IntN(3000); left >= 0 && lines.Scan(); left-- {
			n, err := strconv.Atoi(lines.Text())
			if err != nil {
				t.Fatal(err)
			}
			acked[n] = true
			if left == 0 {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			from = max(from, n+1)
		}
		for lines.Scan() { // acknowledged before the kill arrived
			if n, err := strconv.Atoi(lines.Text()); err == nil {
				acked[n] = true
				from = max(from, n+1)
			}
		}
		cmd.Wait()
		from += 100 // what was under way is not used again

		found := map[int]bool{}
		err = Scan(t.Context(), Options{Dir: dir}, func(r eventlog.Record) error {
			n, err := strconv.Atoi(r.MessageID[len("m-"):])
			if err != nil || found[n] || n >= from {
				return fmt.Errorf("record %q was not appended, or is there twice", r.MessageID)
			}
			found[n] = true
			return logtest.Same(r, logtest.Record(n))
		})
		if err != nil {
			t.Fatal(err)
		}
		for n := range acked {
			if !found[n] {
				t.Fatalf("kill %d: record %d was acknowledged and is gone", kill, n)
			}
		}
	}
	t.Logf("%d records acknowledged in 12 lives", len(acked))
	if len(acked) < 12 {
		t.Fatal("the process was never killed at work")
	}
}
