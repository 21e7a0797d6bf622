package main

import (
	"context"
	"encoding/binary"
	"os"
	"runtime"
	"sync"
	"syscall"

	"github.com/tagmill/tagmill/events/eventlog"
)

// bare is the least a durable log can do: callers share one buffer, one of
// them writes it and calls fdatasync, all of them return. No index, no
// checksum, no cursors, no recovery.
type bare struct {
	f *os.File

	mu      sync.Mutex
	group   *group // being filled
	writing bool
}

type group struct {
	buf  []byte
	done chan struct{}
	err  error
}

func openBare(path string) (*bare, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return &bare{f: f, group: &group{done: make(chan struct{})}}, nil
}

func (b *bare) Append(_ context.Context, records []eventlog.Record) error {
	b.mu.Lock()
	g := b.group
	for i := range records {
		g.buf = binary.LittleEndian.AppendUint32(g.buf, uint32(len(records[i].Value)))
		g.buf = append(g.buf, records[i].Value...)
	}
	lead := !b.writing
	b.writing = true
	b.mu.Unlock()
	if lead {
		b.lead()
	}
	<-g.done
	return g.err
}

// lead writes groups until one was not begun while the last was written.
func (b *bare) lead() {
	var spare []byte
	for {
		runtime.Gosched() // who is about to append joins this group, as in our log
		b.mu.Lock()
		g := b.group
		if len(g.buf) == 0 {
			b.writing = false
			b.mu.Unlock()
			return
		}
		b.group = &group{buf: spare[:0], done: make(chan struct{})}
		b.mu.Unlock()
		if _, g.err = b.f.Write(g.buf); g.err == nil {
			g.err = syscall.Fdatasync(int(b.f.Fd()))
		}
		spare, g.buf = g.buf, nil
		close(g.done)
	}
}

func (b *bare) Close() error { return b.f.Close() }
