package app

import (
	"context"
	"io"

	"github.com/tagmill/tagmill/events/eventlog"
	"github.com/tagmill/tagmill/events/eventlog/disk"
)

// DumpLog writes every event of a stopped server's log to w, oldest first, one
// canonical event a line. With records it writes every record instead,
// discards included, each with its place, write key and times.
func DumpLog(ctx context.Context, cfg Config, w io.Writer, records bool) error {
	data, opts, err := stoppedLog(cfg)
	if err != nil {
		return err
	}
	defer data.Close()
	if records {
		return disk.Dump(ctx, opts, w)
	}
	return disk.Scan(ctx, opts, func(r eventlog.Record) error {
		if r.Kind == eventlog.Discard {
			return nil
		}
		_, err := w.Write(append(r.Value, '\n'))
		return err
	})
}

// VerifyLog reads a stopped server's whole log and reports what it found.
func VerifyLog(ctx context.Context, cfg Config) (disk.Report, error) {
	data, opts, err := stoppedLog(cfg)
	if err != nil {
		return disk.Report{}, err
	}
	defer data.Close()
	return disk.Verify(ctx, opts)
}

// stoppedLog holds the data folder, so that no server can start meanwhile.
func stoppedLog(cfg Config) (*DataDir, disk.Options, error) {
	data, err := openExisting(cfg.Data)
	return data, disk.Options{Dir: cfg.servicePath(cfg.LogURL, "disk:", "log")}, err
}
