package cdn

import (
	"strings"
	"testing"
)

func TestCanonicalPaths(t *testing.T) {
	for _, c := range []struct {
		uri     string
		kind    kind
		buildID string
	}{
		{"/analytics.js/v1/KEY/analytics.min.js", live, ""},
		{"/analytics.js/v1/KEY/platform/analytics.min.js", live, ""},
		{"/analytics.js/v1/KEY/analytics.min.js?", live, ""},
		{"/analytics.js/v1/KEY/analytics.min.js?v=1&%2f..", live, ""},
		{"/analytics.js/v1/KEY/r/0123456789abcdef0123.min.js", build, "0123456789abcdef0123"},
		{"/v1/projects/KEY/settings", settings, ""},
		{"/v1/projects/KEY/settings?x", settings, ""},
	} {
		got := parse([]byte(c.uri))
		if got.kind != c.kind || string(got.writeKey) != "KEY" || string(got.buildID) != c.buildID {
			t.Errorf("%s: got %d %q %q", c.uri, got.kind, got.writeKey, got.buildID)
		}
	}
	for _, key := range []string{"a", "a.b", "...", "A-z_0~", strings.Repeat("k", maxKey)} {
		if got := parse([]byte("/v1/projects/" + key + "/settings")); string(got.writeKey) != key {
			t.Errorf("key %q: got %q", key, got.writeKey)
		}
	}
}

// nonCanonical paths are names that some client, proxy or cache takes for
// another name of a resource.
var nonCanonical = []string{
	"/", "", "*",
	"/analytics.js/v1/KE%59/analytics.min.js",
	"/analytics.js/v1/KEY/analytics.min.js/",
	"/analytics.js/v1/KEY/analytics%2emin.js",
	"/analytics.js/v1/KEY/analytics%2Emin.js",
	"/analytics.js/v1/KEY%2fanalytics.min.js",
	"/analytics.js/v1/KEY%2Fanalytics.min.js",
	"/analytics.js/v1//KEY/analytics.min.js",
	"//analytics.js/v1/KEY/analytics.min.js",
	"/analytics.js//v1/KEY/analytics.min.js",
	"/analytics.js/v1/KEY//analytics.min.js",
	"/analytics.js/v1/x/../KEY/analytics.min.js",
	"/analytics.js/v1/./KEY/analytics.min.js",
	"/analytics.js/v1/../analytics.min.js",
	"/analytics.js/v1/./analytics.min.js",
	"/analytics.js/v1/KEY/./analytics.min.js",
	"/analytics.js/v1/KEY/analytics.min.js%00",
	"/analytics.js/v1/KEY/analytics.min.js\x00",
	"/analytics.js/v1/KEY/analytics.min.js#x",
	"/analytics.js/v1/KEY/analytics.min.js;a=b",
	"/analytics.js/v1/KEY\\analytics.min.js",
	"/analytics.js/v1/KEY/ANALYTICS.MIN.JS",
	"/Analytics.js/v1/KEY/analytics.min.js",
	"/analytics.js/v1/KEY/analytics.js",
	"/analytics.js/v1/KEY",
	"/analytics.js/v1/KEY/",
	"/analytics.js/v1//analytics.min.js",
	"/analytics.js/v1/K EY/analytics.min.js",
	"/analytics.js/v1/K\u00c9Y/analytics.min.js",
	"/analytics.js/v1/" + strings.Repeat("k", maxKey+1) + "/analytics.min.js",
	"/analytics.js/v1/KEY/r/.min.js",
	"/analytics.js/v1/KEY/r/ABC.min.js",
	"/analytics.js/v1/KEY/r/../x.min.js",
	"/analytics.js/v1/KEY/r/a/b.min.js",
	"/analytics.js/v1/KEY/r/" + strings.Repeat("a", maxBuildID+1) + ".min.js",
	"/analytics.js/v1/KEY/r/abc",
	"/v1/projects/KEY/settings/",
	"/v1/projects/KEY/Settings",
	"/v1/projects//settings",
	"/v1/projects/../settings",
	"/v1/projects/KEY",
	"x/v1/projects/KEY/settings",
}

func TestNonCanonicalPathsAreNothing(t *testing.T) {
	for _, uri := range nonCanonical {
		if got := parse([]byte(uri)); got.kind != nothing {
			t.Errorf("%q: kind %d, key %q", uri, got.kind, got.writeKey)
		}
	}
}

// One resource has one name: what parses is written back the same.
func FuzzTarget(f *testing.F) {
	for _, uri := range nonCanonical {
		f.Add(uri)
	}
	f.Add("/analytics.js/v1/KEY/r/abc.min.js?x")
	f.Fuzz(func(t *testing.T, uri string) {
		got := parse([]byte(uri))
		path, _, _ := strings.Cut(uri, "?")
		key := string(got.writeKey)
		names := map[kind][]string{
			nothing:  {path},
			live:     {scriptsPath + key + "/analytics.min.js", scriptsPath + key + "/platform/analytics.min.js"},
			build:    {scriptsPath + key + "/r/" + string(got.buildID) + ".min.js"},
			settings: {projectsPath + key + "/settings"},
		}[got.kind]
		for _, n := range names {
			if n == path {
				return
			}
		}
		t.Fatalf("%q was taken for %q", uri, names)
	})
}
