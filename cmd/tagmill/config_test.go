package main

import (
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/tagmill/tagmill/app"
)

// parse returns what serve would be told, without serving.
func parse(t *testing.T, args ...string) app.Config {
	t.Helper()
	var cli struct {
		Serve serveCmd `cmd:""`
	}
	parser := kong.Must(&cli, kong.DefaultEnvars("TAGMILL"), defaults())
	resolver, err := fileResolver(args)
	if err != nil {
		t.Fatal(err)
	}
	if resolver != nil {
		if err := kong.Resolvers(resolver).Apply(parser); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := parser.Parse(append([]string{"serve"}, args...)); err != nil {
		t.Fatal(err)
	}
	return cli.Serve.config()
}

func TestFlagsBeatEnvironmentBeatsFile(t *testing.T) {
	file := write(t, "tagmill.yaml", `
data: from-file
edge: 127.0.0.1:1111
admin: 127.0.0.1:2222
trusted-proxies: [10.0.0.0/8, 192.168.0.1]
retention: 720h
access-log: true
max-conns: 7
`)
	t.Setenv("TAGMILL_ADMIN", "127.0.0.1:3333")
	t.Setenv("TAGMILL_EDGE", "127.0.0.1:4444")
	t.Setenv("TAGMILL_PUBLIC_URL", "https://tags.shop.example")
	t.Setenv("TAGMILL_TRUSTED_PROXIES", "172.16.0.0/12,10.1.0.0/16")

	c := parse(t, "--config", file, "--edge", "127.0.0.1:5555")
	for _, v := range []struct{ what, got, want string }{
		{"file alone", c.Data, "from-file"},
		{"environment over file", c.Admin, "127.0.0.1:3333"},
		{"flag over both", c.Edge, "127.0.0.1:5555"},
		{"environment alone", c.PublicURL, "https://tags.shop.example"},
		{"environment's list over file's", strings.Join(c.TrustedProxies, " "), "172.16.0.0/12 10.1.0.0/16"},
		{"nobody's: the default", c.Demo, app.DefaultConfig().Demo},
	} {
		if v.got != v.want {
			t.Errorf("%s: %q, want %q", v.what, v.got, v.want)
		}
	}
	if c.Retention != 720*time.Hour || !c.AccessLog || c.MaxConns != 7 {
		t.Errorf("typed values of the file: %v, %v, %d", c.Retention, c.AccessLog, c.MaxConns)
	}
}

func TestDefaultsAreTheContracts(t *testing.T) {
	c := parse(t)
	want := app.DefaultConfig()
	if c.Data != "./tagmill-data" || c.Edge != "127.0.0.1:8080" || c.Admin != "127.0.0.1:9090" || c.Demo != "127.0.0.1:8090" {
		t.Errorf("addresses: %+v", c)
	}
	if c.InFlightBytes != want.InFlightBytes || c.DrainTimeout != want.DrainTimeout || c.SettingsURL != want.SettingsURL || c.LogURL != want.LogURL {
		t.Errorf("got %+v, want %+v", c, want)
	}
}

// The file may be named by the environment too.
func TestFileFromTheEnvironment(t *testing.T) {
	t.Setenv("TAGMILL_CONFIG", write(t, "tagmill.yaml", "data: named\n"))
	if c := parse(t); c.Data != "named" {
		t.Errorf("data %q", c.Data)
	}
}

// Every setting has a flag, a variable and a key.
func TestEverySettingHasThreeNames(t *testing.T) {
	var cli struct {
		Serve serveCmd `cmd:""`
	}
	parser := kong.Must(&cli, kong.DefaultEnvars("TAGMILL"), defaults())
	known := strings.Join(serveFlagNames(), " ")
	n := 0
	for _, group := range parser.Model.Leaves(true)[0].AllFlags(true) {
		for _, f := range group {
			if f.Name == "help" {
				continue
			}
			n++
			env := "TAGMILL_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
			if len(f.Envs) != 1 || f.Envs[0] != env {
				t.Errorf("--%s: variables %v, want %s", f.Name, f.Envs, env)
			}
			if f.Name != "config" && !strings.Contains(known, f.Name) {
				t.Errorf("--%s is no key of the file", f.Name)
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d flags were looked at", n)
	}
}

func TestCheckReportsEveryMistake(t *testing.T) {
	refused(t, []string{"check", "--data", t.TempDir(), "--edge", "nope", "--roles", "juggler", "--public-url", "ftp://x",
		"--trusted-proxies", "everyone", "--tls-cert", "cert.pem", "--disk-budget=-1"},
		"--edge", "nope", "juggler", "--public-url", "ftp://x", "everyone", "--tls-key", "--disk-budget")
	refused(t, []string{"check", "--config", write(t, "c.yaml", "edeg: x\nfoo: 1\nedge: a\nedge: b\n")}, "edeg", "foo", "c.yaml:1", "c.yaml:2")
	if out := must(t, "", "check", "--data", t.TempDir()); out != "ok\n" {
		t.Errorf("check of defaults: %q", out)
	}
}

func TestMistakesOnTheCommandLine(t *testing.T) {
	refused(t, []string{"serve", "--bogus"}, "--bogus", "--help")
	refused(t, []string{"frobnicate"}, "frobnicate", "--help")
	refused(t, []string{}, "serve", "--help")
	refused(t, []string{"apply"}, "--file")
	refused(t, []string{"serve", "--log-level", "loud"}, "--log-level", "debug")
	refused(t, []string{"log", "dump", "--data", "no/such"}, "no/such", "--data")
	refused(t, []string{"export", "--data", "no/such"}, "no/such", "--server", "--data")
	if out := must(t, "", "version"); !strings.HasPrefix(out, "tagmill ") {
		t.Errorf("version: %q", out)
	}
}
