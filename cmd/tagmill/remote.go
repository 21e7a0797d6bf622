package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
)

type signinCmd struct{ serverFlags }

func (c signinCmd) Run(ctx context.Context, std stdio) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	var link struct{ URL string }
	if err := api.json(ctx, http.MethodPost, "/api/v1/signin-links", &link); err != nil {
		return err
	}
	fmt.Fprintln(std.out, link.URL)
	return nil
}

type applyCmd struct {
	File   string `short:"f" required:"" help:"Settings as YAML; - for standard input." placeholder:"FILE"`
	DryRun bool   `help:"Show what would change, with bundle bytes and hosts before and after; change nothing."`
	Prune  bool   `help:"Also delete what the file does not have."`
	serverFlags
}

func (c applyCmd) Run(ctx context.Context, std stdio) error {
	in := std.in
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	doc, err := io.ReadAll(in)
	if err != nil {
		return fmt.Errorf("read %s: %w", c.File, err)
	}
	api, err := c.client()
	if err != nil {
		return err
	}
	q := url.Values{}
	if c.DryRun {
		q.Set("dryRun", "true")
	}
	if c.Prune {
		q.Set("prune", "true")
	}
	res, err := api.do(ctx, http.MethodPost, "/api/v1/apply?"+q.Encode(), "application/yaml", bytes.NewReader(doc))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var outcome applyOutcome
	if err := json.NewDecoder(res.Body).Decode(&outcome); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	return outcome.print(std.out, c.DryRun)
}

type applyOutcome struct {
	Changes []string `json:"changes"`
	Bundles []struct {
		Source string      `json:"source"`
		Before bundleState `json:"before"`
		After  bundleState `json:"after"`
	} `json:"bundles"`
}

type bundleState struct {
	Brotli int      `json:"brotli"`
	Hosts  []string `json:"hosts"`
}

func (o applyOutcome) print(w io.Writer, dryRun bool) error {
	if len(o.Changes) == 0 {
		_, err := fmt.Fprintln(w, "nothing to change")
		return err
	}
	for _, c := range o.Changes {
		fmt.Fprintln(w, c)
	}
	for _, b := range o.Bundles {
		fmt.Fprintf(w, "%s: bundle %d -> %d bytes (brotli)\n", b.Source, b.Before.Brotli, b.After.Brotli)
		if before, after := strings.Join(b.Before.Hosts, " "), strings.Join(b.After.Hosts, " "); before != after {
			fmt.Fprintf(w, "%s: hosts %s -> %s\n", b.Source, orNone(before), orNone(after))
		}
	}
	word := "applied"
	if dryRun {
		word = "dry run: nothing was changed"
	}
	_, err := fmt.Fprintln(w, word)
	return err
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

type exportCmd struct{ serverFlags }

func (c exportCmd) Run(ctx context.Context, std stdio) error {
	return c.serverFlags.copy(ctx, "/api/v1/export", std.out)
}

func (f serverFlags) copy(ctx context.Context, path string, w io.Writer) error {
	api, err := f.client()
	if err != nil {
		return err
	}
	res, err := api.do(ctx, http.MethodGet, path, "", nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.Copy(w, res.Body)
	return err
}

type bundleCmd struct {
	Source string `arg:"" help:"SOURCE, or WORKSPACE/SOURCE."`
	serverFlags
}

func (c bundleCmd) Run(ctx context.Context, std stdio) error {
	path := sourcePath(c.Source)
	if err := c.serverFlags.copy(ctx, path+"/bundle", std.err); err != nil {
		return err
	}
	fmt.Fprintln(std.err)
	return c.serverFlags.copy(ctx, path+"/bundle.js", std.out)
}

type eventsCmd struct {
	Tail eventsTailCmd `cmd:"" help:"Print a source's events as they arrive, one JSON object a line."`
}

type eventsTailCmd struct {
	Source string `arg:"" help:"SOURCE, or WORKSPACE/SOURCE."`
	serverFlags
}

func (c eventsTailCmd) Run(ctx context.Context, std stdio) error {
	api, err := c.client()
	if err != nil {
		return err
	}
	res, err := api.do(ctx, http.MethodGet, sourcePath(c.Source)+"/events", "", nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	dropped := false
	for lines.Scan() {
		if name, ok := bytes.CutPrefix(lines.Bytes(), []byte("event: ")); ok {
			dropped = string(name) == "dropped"
		}
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !ok {
			continue
		}
		// What was missed is news about the stream, not an event of it.
		w := std.out
		if dropped {
			w = std.err
		}
		if _, err := fmt.Fprintf(w, "%s\n", data); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return nil // stopped by the person watching
	}
	return lines.Err()
}
