package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"

	"github.com/alecthomas/kong"

	"github.com/tagmill/tagmill/app"
)

// commands is the whole command line. Every flag of serve is also an
// environment variable, TAGMILL_ and its name, and a key of the file given
// with --config; flags beat environment beats file.
type commands struct {
	Serve   serveCmd   `cmd:"" help:"Run the product: bundles, collector and console in one process."`
	Check   checkCmd   `cmd:"" help:"Validate configuration and settings; all mistakes at once."`
	Signin  signinCmd  `cmd:"" help:"Print a fresh one-time sign-in link for the console."`
	Apply   applyCmd   `cmd:"" help:"Apply settings from a YAML file to the running server."`
	Export  exportCmd  `cmd:"" help:"Print the running server's settings as YAML."`
	Bundle  bundleCmd  `cmd:"" help:"Print a source's compiled bundle; its report goes to stderr."`
	Events  eventsCmd  `cmd:"" help:"Live events of the running server."`
	Log     logCmd     `cmd:"" help:"Read the event log of a stopped server."`
	Backup  backupCmd  `cmd:"" help:"Write settings, keys and cursors of a stopped server to a file."`
	Restore restoreCmd `cmd:"" help:"Bring a backup back into an empty data folder."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// stdio is where a command reads and writes; tests give buffers.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// exitStatus ends a command that has already said why.
type exitStatus struct{ code int }

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", e.code) }

func run(ctx context.Context, args []string, in io.Reader, out, errOut io.Writer) error {
	var cli commands
	var exit *exitStatus
	parser, err := kong.New(&cli,
		kong.Name("tagmill"),
		kong.Description("The tag-serving edge: one snippet on the page, tools switched on and off in settings."),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.DefaultEnvars("TAGMILL"),
		defaults(),
		kong.Writers(out, errOut),
		kong.Exit(func(code int) { exit = &exitStatus{code} }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(stdio{in, out, errOut}),
	)
	if err != nil {
		return err
	}
	resolver, err := fileResolver(args)
	if err != nil {
		return err
	}
	if resolver != nil {
		if err := kong.Resolvers(resolver).Apply(parser); err != nil {
			return err
		}
	}
	kctx, err := parser.Parse(args)
	if exit != nil { // --help
		if exit.code == 0 {
			return nil
		}
		return *exit
	}
	if err != nil {
		var pe *kong.ParseError
		if errors.As(err, &pe) {
			return fmt.Errorf("%w (see tagmill --help)", err)
		}
		return err
	}
	return kctx.Run()
}

// defaults fills the ${names} in flags' defaults from the one place that has them.
func defaults() kong.Vars {
	d := app.DefaultConfig()
	return kong.Vars{
		"data": d.Data, "edge": d.Edge, "admin": d.Admin, "demo": d.Demo,
		"settings_url": d.SettingsURL, "log_url": d.LogURL,
		"in_flight_bytes": strconv.FormatInt(d.InFlightBytes, 10),
		"drain_timeout":   d.DrainTimeout.String(),
	}
}

type logFlags struct {
	LogLevel  string `help:"Log level: ${enum}." enum:"debug,info,warn,error" default:"info"`
	LogFormat string `help:"Log format: ${enum}." enum:"text,json" default:"text"`
}

func (f logFlags) logger(w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(f.LogLevel)) // kong has checked the enum
	opts := &slog.HandlerOptions{Level: level}
	if f.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

type versionCmd struct{}

func (versionCmd) Run(io stdio) error {
	_, err := fmt.Fprintln(io.out, "tagmill", version())
	return err
}

// environ is the process's environment, read here and nowhere below cmd.
func environ(name string) (string, bool) { return os.LookupEnv(name) }
