package main

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/tagmill/tagmill/app"
)

// serveFlags configure a process; serve and check share them.
type serveFlags struct {
	Config string `help:"YAML file with any of these flags as keys." type:"path" placeholder:"FILE"`

	Data  string `help:"Folder for settings, events and bundles." default:"${data}" placeholder:"DIR"`
	Edge  string `help:"Public listener: bundles and collector." default:"${edge}" placeholder:"ADDR"`
	Admin string `help:"Private listener: console, API, metrics." default:"${admin}" placeholder:"ADDR"`
	Demo  string `help:"Demo shop, an origin of its own; off for none." default:"${demo}" placeholder:"ADDR"`

	TLSCert    string `name:"tls-cert" help:"Certificate of the edge listener; reloaded on change." type:"path" placeholder:"FILE"`
	TLSKey     string `name:"tls-key" help:"Key of the certificate." type:"path" placeholder:"FILE"`
	PathPrefix string `help:"Mount every public route under this path, such as /t." placeholder:"PATH"`

	PublicURL      string   `name:"public-url" help:"Where browsers reach bundles; default: the edge address." placeholder:"URL"`
	CollectorURL   string   `name:"collector-url" help:"Where browsers send events; default: the public URL." placeholder:"URL"`
	TrustedProxies []string `help:"Networks whose forwarded headers count." placeholder:"NET,..."`
	ProxyHeader    string   `help:"The one header those proxies set; default: the first known one." placeholder:"NAME"`
	AdminHosts     []string `help:"Further host names the admin listener answers to." placeholder:"HOST,..."`
	AdminToken     string   `help:"API token; default: generated into the data folder." placeholder:"TOKEN"`
	SecretKey      string   `help:"Encrypts secret settings at rest; default: a key file in the data folder." placeholder:"KEY"`

	Roles       []string `help:"Run only these roles." placeholder:"ROLE,..."`
	SettingsURL string   `name:"settings-url" help:"Where settings are kept." default:"${settings_url}" placeholder:"URL"`
	LogURL      string   `name:"log-url" help:"Where events are logged." default:"${log_url}" placeholder:"URL"`

	DiskBudget    int64         `help:"Bytes the event log may take; 0: free space less 2 GB." placeholder:"BYTES"`
	Retention     time.Duration `help:"Events older than this may be trimmed; 0: kept." placeholder:"DURATION"`
	InFlightBytes int64         `help:"Bytes of events being received at once." default:"${in_flight_bytes}" placeholder:"BYTES"`
	MaxConns      int           `help:"Connections to the edge; 0: its own limit." placeholder:"N"`
	DrainDelay    time.Duration `help:"How long readiness is off before a stop closes the edge." placeholder:"DURATION"`
	DrainTimeout  time.Duration `help:"How long a stop waits for requests in flight." default:"${drain_timeout}" placeholder:"DURATION"`
	AccessLog     bool          `help:"Log every edge request."`

	logFlags
}

func (f serveFlags) config() app.Config {
	return app.Config{
		Data: f.Data, Edge: f.Edge, Admin: f.Admin, Demo: f.Demo,
		TLSCert: f.TLSCert, TLSKey: f.TLSKey, PathPrefix: f.PathPrefix,
		PublicURL: f.PublicURL, CollectorURL: f.CollectorURL,
		TrustedProxies: f.TrustedProxies, ProxyHeader: f.ProxyHeader, AdminHosts: f.AdminHosts,
		AdminToken: f.AdminToken, SecretKey: f.SecretKey,
		Roles: f.Roles, SettingsURL: f.SettingsURL, LogURL: f.LogURL,
		DiskBudget: f.DiskBudget, Retention: f.Retention,
		InFlightBytes: f.InFlightBytes, MaxConns: f.MaxConns,
		DrainDelay: f.DrainDelay, DrainTimeout: f.DrainTimeout, AccessLog: f.AccessLog,
	}
}

type serveCmd struct {
	serveFlags
}

func (c serveCmd) Run(ctx context.Context, io stdio) error {
	a, err := app.Open(ctx, c.config(), app.Host{
		Log:     c.logger(io.err),
		Version: version(),
		Getenv:  environ,
	})
	if err != nil {
		return err
	}
	// People read stderr; programs read the one JSON line on stdout.
	return a.Run(ctx, func(r app.Ready) error {
		if err := r.Print(io.err); err != nil {
			return err
		}
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(io.out, "%s\n", line)
		return err
	})
}

// version is the module's version as the toolchain recorded it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}
