package console

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

// asset is one file as served: its address has its hash, so it never changes.
type asset struct {
	contentType string
	body        []byte
}

func (c *Console) loadAssets() error {
	c.assets, c.names = map[string]asset{}, map[string]string{}
	files, err := fs.Glob(assetFiles, "assets/*")
	if err != nil {
		return err
	}
	for _, f := range files {
		b, err := assetFiles.ReadFile(f)
		if err != nil {
			return fmt.Errorf("read %s: %w", f, err)
		}
		sum := sha256.Sum256(b)
		name, ext := path.Base(f), path.Ext(f)
		hashed := strings.TrimSuffix(name, ext) + "-" + hex.EncodeToString(sum[:4]) + ext
		contentType := mime.TypeByExtension(ext)
		if ext == ".js" {
			contentType = "text/javascript; charset=utf-8" // the machine's table may differ
		}
		c.assets[hashed] = asset{contentType, b}
		c.names[name] = "/assets/" + hashed
	}
	return nil
}

func (c *Console) serveAsset(w http.ResponseWriter, r *http.Request) {
	a, ok := c.assets[r.PathValue("file")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", a.contentType)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(a.body)
}

func (c *Console) loadPages() error {
	base, err := template.New("").Option("missingkey=error").Funcs(c.funcs()).ParseFS(pageFiles, "pages/layout.html", "pages/parts.html")
	if err != nil {
		return fmt.Errorf("console layout: %w", err)
	}
	files, err := fs.Glob(pageFiles, "pages/*.html")
	if err != nil {
		return err
	}
	c.pages = map[string]*template.Template{}
	for _, f := range files {
		name := strings.TrimSuffix(path.Base(f), ".html")
		t, err := base.Clone()
		if err == nil {
			t, err = t.ParseFS(pageFiles, f)
		}
		if err != nil {
			return fmt.Errorf("console page %s: %w", name, err)
		}
		c.pages[name] = t
	}
	return nil
}

func (c *Console) funcs() template.FuncMap {
	return template.FuncMap{
		"asset": func(name string) string { return c.names[name] },
		"bytes": showBytes,
		"ago":   func(t time.Time) string { return showAgo(c.Now().Sub(t)) },
		"utc":   func(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04:05 UTC") },
		"iso":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"secs":  showSeconds,
		"ms":    func(f float64) string { return fmt.Sprintf("%.0f ms", f) },
		"plural": func(n int, one, many string) string {
			if n == 1 {
				return fmt.Sprintf("1 %s", one)
			}
			return fmt.Sprintf("%d %s", n, many)
		},
		"json": func(v any) (string, error) {
			b, err := json.MarshalIndent(v, "", "  ")
			return string(b), err
		},
		"join":      strings.Join,
		"hasPrefix": strings.HasPrefix,
		"bytes64":   func(n int64) string { return showBytes(int(n)) },
		"list":      func(items ...string) []string { return items },
		"deref":     func(b *bool) bool { return b != nil && *b },
		"dict":      dict,
		"npm":       npmUsage,
		"curl":      curlUsage,
	}
}

// showBytes writes a size the way people compare bundles: 540 B, 6.5 KB.
func showBytes(n int) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1_000_000:
		return fmt.Sprintf("%.1f KB", float64(n)/1000)
	case n < 1_000_000_000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

func showSeconds(n int) string {
	switch {
	case n < 120:
		return fmt.Sprintf("%d s", n)
	case n < 7200:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(n)/60), ".0") + " min"
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(n)/3600), ".0") + " h"
}

func showAgo(d time.Duration) string {
	switch {
	case d < 5*time.Second:
		return "just now"
	case d < time.Minute:
		return fmt.Sprintf("%d s ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h ago", int(d.Hours()))
	}
	return fmt.Sprintf("%d days ago", int(d.Hours()/24))
}

// dict gives a part of a page more than one value.
func dict(pairs ...any) (map[string]any, error) {
	out := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		key, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is not a name", pairs[i])
		}
		out[key] = pairs[i+1]
	}
	return out, nil
}

func npmUsage(publicURL, collector, writeKey string) string {
	return fmt.Sprintf(`import { AnalyticsBrowser } from "@segment/analytics-next";

export const analytics = AnalyticsBrowser.load(
  { writeKey: %q, cdnURL: %q },
  { integrations: { "Segment.io": { apiHost: %q, protocol: %q } } },
);`, writeKey, publicURL, after(collector), before(collector))
}

func curlUsage(collector, writeKey string) string {
	return fmt.Sprintf(`curl %s/track -u %s: -H 'Content-Type: application/json' \
  -d '{"userId":"u1","event":"Order Completed","properties":{"revenue":12.5}}'`, collector, writeKey)
}

func before(url string) string { scheme, _, _ := strings.Cut(url, "://"); return scheme }

func after(url string) string { _, rest, _ := strings.Cut(url, "://"); return rest }
