package disk

import (
	"fmt"
	"log/slog"
	"runtime"
)

// pebbleLogger gives Pebble's messages to slog and its fatal errors to the log.
type pebbleLogger struct {
	log  *slog.Logger
	fail func(error)
}

// Infof implements pebble.Logger: flushes, compactions and the like.
func (p pebbleLogger) Infof(format string, args ...any) { p.log.Debug(fmt.Sprintf(format, args...)) }

// Errorf implements pebble.Logger.
func (p pebbleLogger) Errorf(format string, args ...any) { p.log.Error(fmt.Sprintf(format, args...)) }

// Fatalf implements pebble.Logger. Pebble calls it where it cannot go on (a
// failed flush of its write-ahead log, a manifest that cannot be written) and
// expects the process to end; if Fatalf returned, a commit would report
// success for what was never synced. It must not end the process, whose other
// rooms are well, so it ends the calling goroutine: a committer's deferred
// function then answers its group, and Pebble's own goroutines leave Pebble
// locked up, which is why a failed log is never used again.
func (p pebbleLogger) Fatalf(format string, args ...any) {
	p.fail(fmt.Errorf(format, args...))
	runtime.Goexit()
}
