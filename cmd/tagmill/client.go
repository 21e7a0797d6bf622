package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/tagmill/tagmill/app"
)

// serverFlags say which running server a command talks to. On the server's
// own machine the data folder knows both address and token.
type serverFlags struct {
	Server     string `help:"Address of the admin listener; default: what the data folder says." placeholder:"URL"`
	AdminToken string `help:"API token; default: the data folder's." placeholder:"TOKEN"`
	Data       string `help:"Data folder of a server on this machine." default:"${data}" placeholder:"DIR"`
}

type client struct {
	base  string
	token string
}

func (f serverFlags) client() (*client, error) {
	c := &client{base: strings.TrimSuffix(f.Server, "/"), token: f.AdminToken}
	if c.base == "" {
		ready, err := app.ReadReady(f.Data)
		if err != nil {
			return nil, fmt.Errorf("%w: is the server running? Name it with --server URL, or its data folder with --data DIR", err)
		}
		c.base = ready.Admin
	}
	if c.token == "" {
		raw, err := os.ReadFile(filepath.Join(f.Data, app.TokenFile))
		if err != nil {
			return nil, fmt.Errorf("no API token: set TAGMILL_ADMIN_TOKEN, or name the server's data folder with --data: %w", err)
		}
		c.token = strings.TrimSpace(string(raw))
	}
	return c, nil
}

// do calls the API and returns the answer's body, to be closed by the caller.
// A refusal comes back as an error with everything the problem document says.
func (c *client) do(ctx context.Context, method, path, contentType string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("User-Agent", "tagmill/"+version()) // revisions made here have the author "cli"
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err
		}
		return nil, fmt.Errorf("server %s: %w: is it running? --server and --data name another", c.base, err)
	}
	if res.StatusCode >= 300 {
		defer res.Body.Close()
		return nil, problem(c.base, res)
	}
	return res, nil
}

func (c *client) json(ctx context.Context, method, path string, out any) error {
	res, err := c.do(ctx, method, path, "", nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	return json.NewDecoder(res.Body).Decode(out)
}

func problem(server string, res *http.Response) error {
	var p struct {
		Title, Detail string
		Errors        []struct{ Location, Message string }
	}
	raw, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if json.Unmarshal(raw, &p) != nil || p.Title+p.Detail == "" {
		return fmt.Errorf("server %s answered %s", server, res.Status)
	}
	msg := p.Detail
	if msg == "" {
		msg = p.Title
	}
	for _, e := range p.Errors {
		msg += "\n  " + e.Location + ": " + e.Message
	}
	if res.StatusCode == http.StatusUnauthorized {
		msg += ": the token is not the server's; see TAGMILL_ADMIN_TOKEN or the admin-token file in its data folder"
	}
	return errors.New(msg)
}

// sourcePath is the API path of a source given as SOURCE or WORKSPACE/SOURCE.
func sourcePath(source string) string {
	ws, src, ok := strings.Cut(source, "/")
	if !ok {
		ws, src = "default", source
	}
	return "/api/v1/workspaces/" + url.PathEscape(ws) + "/sources/" + url.PathEscape(src)
}
