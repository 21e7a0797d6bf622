package snippets

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/dop251/goja/parser"
	"github.com/evanw/esbuild/pkg/api"
)

var update = flag.Bool("update", false, "write snippet.min.js anew from snippet.ts")

// The committed loader is what its source compiles to.
func TestMinified(t *testing.T) {
	source, err := os.ReadFile("snippet.ts")
	if err != nil {
		t.Fatal(err)
	}
	result := api.Transform(string(source), api.TransformOptions{
		Loader:            api.LoaderTS,
		Target:            api.ES2017,
		Charset:           api.CharsetASCII,
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		LegalComments:     api.LegalCommentsNone,
	})
	for _, e := range result.Errors {
		t.Fatal(e.Text)
	}
	function, ok := strings.CutPrefix(strings.TrimRight(string(result.Code), ";\n"), "export default ")
	if !ok {
		t.Fatalf("snippet.ts does not export a function: %.60s", result.Code)
	}
	want := "(" + function + ")"
	if *update {
		if err := os.WriteFile("snippet.min.js", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if loader != want {
		t.Error("snippet.min.js is not what snippet.ts compiles to: run go generate ./snippets")
	}
}

var plain = Options{WriteKey: "Kx3fJ0aB9sPq2LmN7tUv5wYz8cDe1gHi", PublicURL: "https://t.example.com"}

func TestBudget(t *testing.T) {
	html, err := Render(plain)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := brotli.NewWriterLevel(&out, brotli.BestCompression)
	if _, err := w.Write([]byte(html)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("snippet: %d bytes, %d brotli-11", len(html), out.Len())
	if out.Len() > 700 {
		t.Errorf("rendered snippet is %d bytes brotli-11, the budget is 700", out.Len())
	}
}

// Nothing in a valid set of options may end the element, break a line of the
// script or change what it does.
func TestRenderEscapes(t *testing.T) {
	o := plain
	o.Nonce = "abc+/=="
	o.Global = "$shop_1"
	o.PublicURL = "http://127.0.0.1:8080/a/b'</script>&/"
	o.LoadOptions = json.RawMessage("{\"x\": \"</script><!--\u2028\u2029\\\"'\"}")
	html, err := Render(o)
	if err != nil {
		t.Fatal(err)
	}
	body, ok := strings.CutPrefix(html, `<script nonce="abc+/==">`)
	if !ok {
		t.Fatalf("opening tag: %.60s", html)
	}
	body, ok = strings.CutSuffix(body, "</script>")
	if !ok || strings.Contains(strings.ToLower(body), "</script") || strings.Contains(body, "<!--") || strings.ContainsAny(body, "\u2028\u2029") {
		t.Errorf("unsafe script: %s", body[len(loader):])
	}
	if _, err := parser.ParseFile(nil, "", body, 0); err != nil {
		t.Errorf("does not parse: %v", err)
	}
	if want := `("` + o.WriteKey + `","$shop_1","http://127.0.0.1:8080/a/b`; !strings.Contains(body, want) {
		t.Errorf("call is %s", body[len(loader):])
	}
}

func TestRenderRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Options)
		want   string
	}{
		{"no key", func(o *Options) { o.WriteKey = "" }, "write key"},
		{"key with a quote", func(o *Options) { o.WriteKey = `a"b` }, "write key"},
		{"key that leaves its path", func(o *Options) { o.WriteKey = "../x" }, "write key"},
		{"key with a line break", func(o *Options) { o.WriteKey = "abc\n" }, "write key"},
		{"global that is no name", func(o *Options) { o.Global = "a-b" }, "global"},
		{"global with a tag", func(o *Options) { o.Global = "</script>" }, "global"},
		{"nonce with a quote", func(o *Options) { o.Nonce = `"><script>` }, "nonce"},
		{"no URL", func(o *Options) { o.PublicURL = "" }, "public URL"},
		{"URL without scheme", func(o *Options) { o.PublicURL = "t.example.com" }, "public URL"},
		{"javascript URL", func(o *Options) { o.PublicURL = "javascript:alert(1)" }, "public URL"},
		{"URL with a query", func(o *Options) { o.PublicURL = "https://t.example.com/?a" }, "public URL"},
		{"URL with a fragment", func(o *Options) { o.PublicURL = "https://t.example.com/#" }, "public URL"},
		{"options that are no JSON", func(o *Options) { o.LoadOptions = json.RawMessage("{a:1}") }, "load options"},
		{"options that are no object", func(o *Options) { o.LoadOptions = json.RawMessage("[1]") }, "load options"},
		{"options that are null", func(o *Options) { o.LoadOptions = json.RawMessage("null") }, "load options"},
		{"options and more", func(o *Options) { o.LoadOptions = json.RawMessage("{});alert(1)") }, "load options"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := plain
			c.change(&o)
			if html, err := Render(o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, %v; want an error about the %s", html, err, c.want)
			}
			if _, err := External(o, "/s.js"); err == nil {
				t.Error("External took what Render refuses")
			}
		})
	}
	_, err := Render(Options{WriteKey: "!", Global: "!", PublicURL: "!"})
	for _, name := range []string{"write key", "global", "public URL"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error does not name the %s: %v", name, err)
		}
	}
}

func TestExternal(t *testing.T) {
	f, err := External(plain, `/js/"tagmill.js`)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(f.JS)
	hash := base64.StdEncoding.EncodeToString(sum[:])
	if f.CSPHash != "'sha256-"+hash+"'" {
		t.Errorf("CSP hash %s is not that of the file", f.CSPHash)
	}
	if !strings.Contains(f.HTML, `<script src="/js/&#34;tagmill.js" integrity="sha256-`+hash+`"></script>`) {
		t.Errorf("HTML: %s", f.HTML)
	}
	if len(strings.Split(f.HTML, "\n")) != 2 {
		t.Errorf("HTML is not two lines: %s", f.HTML)
	}
	html, err := Render(plain)
	if err != nil {
		t.Fatal(err)
	}
	if html != "<script>"+string(f.JS)+"</script>" {
		t.Error("inline and external snippets differ")
	}
}
