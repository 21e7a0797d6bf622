package app

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Config is everything a process is told. DefaultConfig has every default;
// only cmd fills the rest, from flags, environment and a file.
type Config struct {
	Data  string // folder
	Edge  string // host:port of the public listener
	Admin string // host:port of the private listener
	Demo  string // host:port of the demo shop, or "off"

	TLSCert, TLSKey string // edge certificate and key files, both or neither
	PathPrefix      string // edge: "/t" mounts every public route under /t

	// PublicURL and CollectorURL are where browsers reach bundle and
	// collector; empty is the edge listener's own address.
	PublicURL, CollectorURL string
	TrustedProxies          []string // networks or addresses whose forwarded headers count
	ProxyHeader             string   // the one header trusted proxies set; empty: the first known one present
	AdminHosts              []string // further host names the admin listener answers to

	AdminToken string // empty: generated into the data folder
	SecretKey  string // empty: generated into the data folder

	Roles       []string // empty or all: the whole product
	SettingsURL string   // sqlite: or, one day, postgres:
	LogURL      string   // disk: or, one day, kafka:

	DiskBudget    int64         // bytes the event log may take; 0: free space minus 2 GB
	Retention     time.Duration // events older than this may be trimmed; 0: kept
	InFlightBytes int64         // bodies being read and decoded at once, all sources
	MaxConns      int           // edge connections; 0: the edge's own default
	DrainDelay    time.Duration // how long readyz says 503 before the edge stops listening
	DrainTimeout  time.Duration // how long SIGTERM waits for requests in flight
	AccessLog     bool
}

// DefaultConfig returns the defaults of the contract.
func DefaultConfig() Config {
	return Config{
		Data:          "./tagmill-data",
		Edge:          "127.0.0.1:8080",
		Admin:         "127.0.0.1:9090",
		Demo:          "127.0.0.1:8090",
		SettingsURL:   "sqlite:",
		LogURL:        "disk:",
		InFlightBytes: 256 << 20,
		DrainTimeout:  10 * time.Second,
	}
}

// Roles that exist in this version. The others of the contract arrive with
// the rooms they name.
var roles = []string{"origin", "collector", "console"}

// Validate reports every mistake at once, each with its flag and the remedy.
func (c *Config) Validate() error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Data == "" {
		add("--data: empty; name a folder, such as ./tagmill-data")
	}
	for _, a := range []struct{ flag, addr string }{{"--edge", c.Edge}, {"--admin", c.Admin}, {"--demo", c.Demo}} {
		if a.flag == "--demo" && a.addr == "off" {
			continue
		}
		if _, _, err := net.SplitHostPort(a.addr); err != nil {
			add("%s: %q is not host:port; for example 127.0.0.1:8080, or :8080 for every interface", a.flag, a.addr)
		}
	}
	if !distinctAddrs(c.Edge, c.Admin, c.Demo) {
		add("--edge, --admin and --demo must be three different addresses: the console must never share an origin with vendors' scripts")
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		add("--tls-cert and --tls-key: give both or neither")
	}
	for _, u := range []struct{ name, value string }{{"--public-url", c.PublicURL}, {"--collector-url", c.CollectorURL}} {
		if err := checkURL(u.value); err != nil {
			add("%s: %w", u.name, err)
		}
	}
	if p := c.PathPrefix; p != "" && (!strings.HasPrefix(p, "/") || strings.HasSuffix(p, "/") || strings.Contains(p, "//") || strings.ContainsAny(p, "%?#. ")) {
		add("--path-prefix: %q must start with a slash, not end with one, and hold plain path segments, such as /t", p)
	}
	if _, err := c.trustedProxies(); err != nil {
		errs = append(errs, err)
	}
	for _, r := range c.Roles {
		switch {
		case r == "all" || slices.Contains(roles, r):
		case r == "delivery" || r == "archive" || r == "warehouse":
			add("--roles: %s is not part of this version yet; there are %s", r, strings.Join(roles, ", "))
		default:
			add("--roles: %q is not a role; there are %s", r, strings.Join(roles, ", "))
		}
	}
	if c.split() {
		for _, s := range []struct{ flag, value, scheme string }{{"--settings-url", c.SettingsURL, "sqlite:"}, {"--log-url", c.LogURL, "disk:"}} {
			if strings.HasPrefix(s.value, s.scheme) {
				add("--roles: %s split the product over processes, but %s is %s, which one process alone can use; run all roles in one process, or use a shared service", strings.Join(c.Roles, ","), s.flag, s.value)
			}
		}
	}
	for _, u := range []struct{ flag, value, here, later string }{
		{"--settings-url", c.SettingsURL, "sqlite:", "postgres:"},
		{"--log-url", c.LogURL, "disk:", "kafka:"},
	} {
		switch {
		case strings.HasPrefix(u.value, u.here):
		case strings.HasPrefix(u.value, u.later):
			add("%s: %s is not part of this version yet; use %s", u.flag, u.later, u.here)
		default:
			add("%s: %q is not a known service; use %s (embedded), or %s:PATH", u.flag, u.value, u.here, strings.TrimSuffix(u.here, ":"))
		}
	}
	if c.DiskBudget < 0 {
		add("--disk-budget: %d is negative; give bytes, or 0 for what the disk has", c.DiskBudget)
	}
	if c.Retention < 0 || c.DrainDelay < 0 || c.DrainTimeout < 0 || c.InFlightBytes < 1<<20 || c.MaxConns < 0 {
		add("--retention, --drain-delay and --drain-timeout must not be negative, --in-flight-bytes must be at least 1 MiB, --max-conns at least 0")
	}
	return errors.Join(errs...)
}

// split reports whether this process runs only some of the roles. Mistyped
// ones are reported by themselves.
func (c *Config) split() bool {
	if len(c.Roles) == 0 || slices.Contains(c.Roles, "all") {
		return false
	}
	if slices.ContainsFunc(c.Roles, func(r string) bool { return !slices.Contains(roles, r) }) {
		return false
	}
	for _, r := range roles {
		if !slices.Contains(c.Roles, r) {
			return true
		}
	}
	return false
}

func (c *Config) trustedProxies() ([]netip.Prefix, error) {
	var nets []netip.Prefix
	var errs []error
	for _, s := range c.TrustedProxies {
		if p, err := netip.ParsePrefix(s); err == nil {
			nets = append(nets, p.Masked())
		} else if a, err := netip.ParseAddr(s); err == nil {
			nets = append(nets, netip.PrefixFrom(a, a.BitLen()))
		} else {
			errs = append(errs, fmt.Errorf("--trusted-proxies: %q is neither a network nor an address; for example 10.0.0.0/8", s))
		}
	}
	return nets, errors.Join(errs...)
}

// servicePath is the path in a URL such as sqlite:PATH, or the default name
// inside the data folder.
func (c *Config) servicePath(serviceURL, scheme, name string) string {
	if p := strings.TrimPrefix(serviceURL, scheme); p != "" {
		return p
	}
	return filepath.Join(c.Data, name)
}

func checkURL(s string) error {
	if s == "" {
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return fmt.Errorf("%q is not a web address; for example https://tags.example.com", s)
	}
	if u.RawQuery != "" || u.Fragment != "" || u.User != nil || strings.HasSuffix(u.Path, "/") {
		return fmt.Errorf("%q must hold scheme, host and at most a path, with no slash at the end", s)
	}
	return nil
}

func distinctAddrs(addrs ...string) bool {
	seen := map[string]bool{}
	for _, a := range addrs {
		if a == "off" || strings.HasSuffix(a, ":0") {
			continue
		}
		if seen[a] {
			return false
		}
		seen[a] = true
	}
	return true
}
