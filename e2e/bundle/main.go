// Command bundle builds one bundle from the TypeScript in the working tree, for
// the runtime's and the integrations' tests and for a look at what a change
// costs:
//
//	echo '{"writeKey":"k","collector":"http://127.0.0.1:8080/v1","destinations":[]}' | go run ./e2e/bundle
//
// It reads a bundler.Input as JSON on stdin and writes the script on stdout
// and its report on stderr.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tagmill/tagmill/bundler"
)

func main() {
	root := flag.String("root", ".", "the repository: holds runtime-js and integrations-js")
	debug := flag.Bool("debug", false, "keep names and line breaks")
	out := flag.String("out", "", "write the script to this file instead of stdout")
	prices := flag.Bool("prices", false, "report what each integration adds, exactly (slower)")
	flag.Parse()
	if err := run(*root, *debug, *prices, *out); err != nil {
		fmt.Fprintln(os.Stderr, "bundle:", err)
		os.Exit(1)
	}
}

func run(root string, debug, prices bool, out string) error {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return fmt.Errorf("read stdin: %w", err)
	}
	var in bundler.Input
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return fmt.Errorf("stdin is not a bundler.Input as JSON: %w", err)
	}
	in.Debug = in.Debug || debug

	b := bundler.New(bundler.Sources{
		Runtime:      os.DirFS(filepath.Join(root, "runtime-js")),
		Integrations: os.DirFS(filepath.Join(root, "integrations-js")),
	})
	bundle, err := b.Build(in)
	if err != nil {
		return err
	}
	report := bundle.Report.Measured(bundler.Compress(bundle.JS, true))
	if prices {
		if report.Integrations, err = b.Prices(context.Background(), in); err != nil {
			return err
		}
	}
	tag, err := json.MarshalIndent(struct {
		BuildID string         `json:"buildId"`
		Report  bundler.Report `json:"report"`
	}{bundle.BuildID, report}, "", "  ")
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%s\n", tag)
	if out != "" {
		return os.WriteFile(out, bundle.JS, 0o644)
	}
	_, err = os.Stdout.Write(bundle.JS)
	return err
}
