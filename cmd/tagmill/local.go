package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tagmill/tagmill/app"
	"github.com/tagmill/tagmill/internal/fsx"
)

// dataFlags name the data folder of a stopped server.
type dataFlags struct {
	Data      string `help:"Data folder of a stopped server." default:"${data}" placeholder:"DIR"`
	SecretKey string `help:"The key, if it was configured." placeholder:"KEY"`

	SettingsURL string `name:"settings-url" help:"Where settings are kept." default:"${settings_url}" placeholder:"URL"`
	LogURL      string `name:"log-url" help:"Where events are logged." default:"${log_url}" placeholder:"URL"`
}

func (f dataFlags) config() app.Config {
	c := app.DefaultConfig()
	c.Data, c.SecretKey, c.SettingsURL, c.LogURL = f.Data, f.SecretKey, f.SettingsURL, f.LogURL
	return c
}

type logCmd struct {
	Dump   logDumpCmd   `cmd:"" help:"Every event in the log, one JSON object a line."`
	Verify logVerifyCmd `cmd:"" help:"Read the whole log and check it."`
}

type logDumpCmd struct {
	dataFlags
	Records bool `help:"Every record, discards included, with its place, write key and times."`
}

func (c logDumpCmd) Run(ctx context.Context, std stdio) error {
	out := bufio.NewWriterSize(std.out, 1<<16)
	err := app.DumpLog(ctx, c.config(), out, c.Records)
	return errors.Join(err, out.Flush())
}

type logVerifyCmd struct{ dataFlags }

func (c logVerifyCmd) Run(ctx context.Context, std stdio) error {
	report, err := app.VerifyLog(ctx, c.config())
	if err != nil {
		return err
	}
	enc := json.NewEncoder(std.out)
	enc.SetIndent("", "  ")
	if err := enc.Encode(report); err != nil {
		return err
	}
	if !report.OK() {
		return fmt.Errorf("event log in %s is damaged: %s: restore a backup, or go on with what log dump can still read", report.Dir, report.Damage[0])
	}
	return nil
}

type backupCmd struct {
	File   string `arg:"" help:"Where to; must not be there yet."`
	Events bool   `help:"The event log too."`
	dataFlags
}

func (c backupCmd) Run(ctx context.Context, std stdio) (err error) {
	f, err := os.OpenFile(c.File, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(c.File)
		}
	}()
	if err := app.Backup(ctx, c.config(), f, c.Events); err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close(), fsx.SyncDir(filepath.Dir(c.File))); err != nil {
		return err
	}
	_, err = fmt.Fprintln(std.err, "backup written to", c.File)
	return err
}

type restoreCmd struct {
	File string `arg:"" help:"A backup."`
	dataFlags
}

func (c restoreCmd) Run(ctx context.Context, std stdio) error {
	f, err := os.Open(c.File)
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	defer f.Close()
	if err := app.Restore(ctx, c.Data, bufio.NewReader(f)); err != nil {
		return err
	}
	_, err = fmt.Fprintln(std.err, "restored into", c.Data)
	return err
}

type checkCmd struct{ serveFlags }

func (c checkCmd) Run(ctx context.Context, std stdio) error {
	if err := app.Check(ctx, c.config(), app.Host{Log: c.logger(std.err), Getenv: environ}); err != nil {
		return err
	}
	_, err := fmt.Fprintln(std.out, "ok")
	return err
}
