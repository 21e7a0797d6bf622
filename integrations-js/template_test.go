package integrations

import (
	"os"
	"testing"
	"testing/fstest"
)

// What contributors copy must be good itself.
func TestTemplateIsValid(t *testing.T) {
	manifest, err := os.ReadFile("_template/manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile("_template/browser.ts")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Load(fstest.MapFS{"acme/manifest.json": {Data: manifest}, "acme/browser.ts": {Data: code}})
	if err != nil {
		t.Fatal(err)
	}
	if wrong := c.Check("acme", "browser", testValues(c.Manifest("acme"))); wrong != nil {
		t.Error(wrong)
	}
	if _, ok := open(t).Slug("acme"); ok {
		t.Error("the template is in the catalog")
	}
}
