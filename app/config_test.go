package app

import (
	"strings"
	"testing"
)

func TestDefaultsAreValid(t *testing.T) {
	c := DefaultConfig()
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
}

func TestValidateNamesThingAndRemedy(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Config)
		want   string // "": valid
	}{
		{"no data folder", func(c *Config) { c.Data = "" }, "--data"},
		{"address without port", func(c *Config) { c.Edge = "localhost" }, "--edge"},
		{"one address twice", func(c *Config) { c.Admin = c.Edge }, "three different addresses"},
		{"port 0 twice", func(c *Config) { c.Edge, c.Admin = "127.0.0.1:0", "127.0.0.1:0" }, ""},
		{"no demo", func(c *Config) { c.Demo = "off" }, ""},
		{"half a certificate", func(c *Config) { c.TLSCert = "cert.pem" }, "both or neither"},
		{"public URL without scheme", func(c *Config) { c.PublicURL = "tags.example.com" }, "https://tags.example.com"},
		{"public URL with slash", func(c *Config) { c.PublicURL = "https://tags.example.com/" }, "no slash at the end"},
		{"collector URL with query", func(c *Config) { c.CollectorURL = "https://c.example.com?x=1" }, "--collector-url"},
		{"prefix", func(c *Config) { c.PathPrefix = "/t" }, ""},
		{"prefix with dots", func(c *Config) { c.PathPrefix = "/../t" }, "--path-prefix"},
		{"proxies", func(c *Config) { c.TrustedProxies = []string{"10.0.0.0/8", "::1"} }, ""},
		{"proxy by name", func(c *Config) { c.TrustedProxies = []string{"nginx"} }, "10.0.0.0/8"},
		{"all roles", func(c *Config) { c.Roles = []string{"all"} }, ""},
		{"every role there is", func(c *Config) { c.Roles = []string{"console", "collector", "origin"} }, ""},
		{"split on embedded storage", func(c *Config) { c.Roles = []string{"origin"} }, "one process alone can use"},
		{"a role to come", func(c *Config) { c.Roles = []string{"all", "delivery"} }, "not part of this version"},
		{"no such role", func(c *Config) { c.Roles = []string{"queen"} }, `"queen" is not a role`},
		{"a service to come", func(c *Config) { c.LogURL = "kafka://a,b" }, "not part of this version"},
		{"no such service", func(c *Config) { c.SettingsURL = "mysql:x" }, "not a known service"},
		{"negative budget", func(c *Config) { c.DiskBudget = -1 }, "--disk-budget"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := DefaultConfig()
			tc.change(&c)
			err := c.Validate()
			switch {
			case tc.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
				t.Errorf("got %v, want mention of %q", err, tc.want)
			}
		})
	}
}

func TestValidateReportsEveryMistakeAtOnce(t *testing.T) {
	c := DefaultConfig()
	c.Data, c.Edge, c.PublicURL, c.DiskBudget = "", "nowhere", "ftp://x", -1
	err := c.Validate()
	for _, flag := range []string{"--data", "--edge", "--public-url", "--disk-budget"} {
		if err == nil || !strings.Contains(err.Error(), flag) {
			t.Errorf("%s is not mentioned in: %v", flag, err)
		}
	}
}
