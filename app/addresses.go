package app

import (
	"errors"
	"fmt"
	"net"
)

func (a *App) publicURL() string {
	if a.cfg.PublicURL != "" {
		return a.cfg.PublicURL
	}
	return a.edge.URL() + a.cfg.PathPrefix
}

// collectorURL is where events go, version prefix included.
func (a *App) collectorURL() string {
	if a.cfg.CollectorURL != "" {
		return a.cfg.CollectorURL + "/v1"
	}
	return a.publicURL() + "/v1"
}

func (a *App) consoleURL() string { return socketURL(a.adminSocket) }

func (a *App) demoURL() string {
	if a.demoSocket == nil {
		return ""
	}
	return socketURL(a.demoSocket)
}

// snippet is the first source's, for the start message and the demo.
func (a *App) snippet() string {
	for _, src := range a.store.Snapshot().Sources {
		for _, k := range src.Keys {
			if k.RetiredAt == nil {
				html, err := a.pasting.Inline(k.Key)
				if err != nil {
					return "<!-- " + err.Error() + " -->"
				}
				return html
			}
		}
	}
	return "<!-- there is no source with an active write key -->"
}

func listen(addr, flag string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) {
			err = op.Err
		}
		return nil, fmt.Errorf("listen on %s: %w: choose another address with %s", addr, err, flag)
	}
	return l, nil
}

// socketURL is a listener's address for a browser on this machine.
func socketURL(l net.Listener) string {
	host, port, _ := net.SplitHostPort(l.Addr().String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
