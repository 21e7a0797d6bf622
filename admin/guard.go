package admin

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
)

// hosts refuses requests made under a name that is not ours. Without it, a
// page on a name whose DNS answer is changed to 127.0.0.1 (DNS rebinding) is
// of our own origin as far as the browser can tell.
func hosts(allowed []string, next http.Handler) http.Handler {
	names := map[string]bool{}
	for _, h := range allowed {
		names[strings.ToLower(strings.TrimSuffix(hostname(h), "."))] = true
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := strings.ToLower(strings.TrimSuffix(hostname(r.Host), "."))
		if !ownHost(host) && !names[host] {
			Deny(w, r, http.StatusMisdirectedRequest, "the private listener is not known by the host name in this request; "+
				"open it by address or as localhost, or list the name in admin-hosts (--admin-hosts, TAGMILL_ADMIN_HOSTS)")
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ownHost reports whether no stranger can own the name: loopback names,
// addresses, and names without a dot (a container's or a service's).
func ownHost(host string) bool {
	if host == "" {
		return false
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") || !strings.ContainsAny(host, ".:") {
		return true
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}

func hostname(hostport string) string {
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		return h
	}
	return strings.Trim(hostport, "[]")
}

// policy lets a page of the console load and talk to nothing but its own
// listener. No inline script or style anywhere, so none is allowed.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		// Not no-referrer: that turns a form's Origin into "null", which the
		// cross-origin check could not tell from a stranger's.
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		next.ServeHTTP(w, r)
	})
}

// recovered turns a panic into one log line and, where nothing was sent yet, a 500.
func recovered(log *slog.Logger, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v == http.ErrAbortHandler {
				panic(v) // net/http's own way to drop a connection
			}
			log.Error("admin request panicked", "method", r.Method, "path", r.URL.Path, "panic", v, "stack", string(debug.Stack()))
			Deny(w, r, http.StatusInternalServerError, "a mistake in tagmill; the log has the details")
		}()
		next.ServeHTTP(w, r)
	})
}
