// Package snippets renders the inline loader that customers paste into their
// pages: a drop-in for Segment's. It owns the loader's source, its rendering
// and its byte budget. It must not know settings, bundles or HTTP: it is told
// the write key and the public address.
package snippets

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// snippet.ts, minified: a function to be called with a customer's values.
//
//go:generate go test -run TestMinified -update .
//go:embed snippet.min.js
var loader string

// Options make a snippet a customer's own.
type Options struct {
	// WriteKey names the source: letters, digits, "-" and "_".
	WriteKey string
	// PublicURL is where browsers reach the edge: https://host[:port][/prefix].
	PublicURL string
	// Global is the name of the page's analytics object; "analytics" if empty.
	Global string
	// Nonce is the page's CSP nonce, put on the script element. The loader
	// hands it to the script it inserts.
	Nonce string
	// NoPage leaves out the first page call.
	NoPage bool
	// NoLoad leaves it to the page to call analytics.load(writeKey, options),
	// after consent for instance. Calls are kept until then.
	NoLoad bool
	// LoadOptions is a JSON object: the second argument of analytics.load.
	LoadOptions json.RawMessage
}

var (
	validKey    = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
	validGlobal = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$]{0,63}$`)
	// What CSP allows in a nonce.
	validNonce = regexp.MustCompile(`^[A-Za-z0-9+/_-]+={0,2}$`)
)

// Render returns the script element to paste into a page's head. An error
// names every option that is wrong and what would be right.
func Render(o Options) (string, error) {
	js, err := script(o)
	if err != nil {
		return "", err
	}
	return "<script" + nonceAttribute(o) + ">" + js + "</script>", nil
}

// ExternalFile is the snippet as a file of its own, for pages whose policy
// forbids inline scripts.
type ExternalFile struct {
	// JS is the content of the file.
	JS []byte
	// CSPHash is its hash as a script-src source, 'sha256-...' with the quotes.
	CSPHash string
	// HTML is what the page's head carries: the file at src, checked
	// against its hash.
	HTML string
}

// External returns the snippet as a file that the page serves at src.
func External(o Options, src string) (ExternalFile, error) {
	js, err := script(o)
	if err != nil {
		return ExternalFile{}, err
	}
	sum := sha256.Sum256([]byte(js))
	hash := "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
	return ExternalFile{
		JS:      []byte(js),
		CSPHash: "'" + hash + "'",
		HTML: "<!-- Content-Security-Policy: script-src '" + hash + "' " + html.EscapeString(origin(o.PublicURL)) + " -->\n" +
			`<script src="` + html.EscapeString(src) + `" integrity="` + hash + `"` + nonceAttribute(o) + `></script>`,
	}, nil
}

func nonceAttribute(o Options) string {
	if o.Nonce == "" {
		return ""
	}
	return ` nonce="` + html.EscapeString(o.Nonce) + `"`
}

// script returns the loader with its call.
func script(o Options) (string, error) {
	if o.Global == "" {
		o.Global = "analytics"
	}
	publicURL, problems := check(o)
	if len(problems) > 0 {
		return "", fmt.Errorf("render snippet: %w", errors.Join(problems...))
	}
	flags := 0
	if !o.NoPage {
		flags |= 1
	}
	if o.NoLoad {
		flags |= 2
	}
	call := quote(o.WriteKey) + "," + quote(o.Global) + "," + quote(publicURL) + "," + strconv.Itoa(flags)
	if len(o.LoadOptions) > 0 {
		call += "," + escape(o.LoadOptions)
	}
	return loader + "(" + call + ");", nil
}

// check returns the public URL without trailing slashes, and all that is wrong.
func check(o Options) (publicURL string, problems []error) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if !validKey.MatchString(o.WriteKey) {
		wrong("write key %q: use 1 to 128 letters, digits, - and _", o.WriteKey)
	}
	if !validGlobal.MatchString(o.Global) {
		wrong("global %q: use a JavaScript name of letters, digits, _ and $ (at most 64)", o.Global)
	}
	if o.Nonce != "" && !validNonce.MatchString(o.Nonce) {
		wrong("nonce %q: use base64, as a Content-Security-Policy has it", o.Nonce)
	}
	if len(o.LoadOptions) > 0 {
		var object map[string]json.RawMessage
		if err := json.Unmarshal(o.LoadOptions, &object); err != nil || object == nil {
			wrong("load options %q: use a JSON object", o.LoadOptions)
		}
	}
	u, err := url.Parse(o.PublicURL)
	switch {
	case err != nil:
		wrong("public URL %q: %w", o.PublicURL, err)
	case u.Scheme != "https" && u.Scheme != "http", u.Host == "":
		wrong("public URL %q: use https://host, with a path prefix if there is one", o.PublicURL)
	case u.User != nil, u.RawQuery != "", u.ForceQuery, u.Fragment != "", strings.Contains(o.PublicURL, "#"):
		wrong("public URL %q: leave out user, query and fragment", o.PublicURL)
	default:
		publicURL = strings.TrimRight(u.String(), "/")
	}
	return publicURL, problems
}

// origin is scheme and host of a URL that check has passed.
func origin(publicURL string) string {
	u, err := url.Parse(publicURL)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

func quote(s string) string {
	// A string always has a JSON form.
	b, _ := json.Marshal(s)
	return escape(b)
}

// escape makes JSON safe inside a script element: <, >, &, U+2028 and U+2029
// become escapes, so that no text can end the element or open a comment.
func escape(raw json.RawMessage) string {
	var compact, safe bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return "{}" // check has refused it
	}
	json.HTMLEscape(&safe, compact.Bytes())
	return safe.String()
}
