package admin

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"
)

// How long things last.
const (
	LinkLife    = 10 * time.Minute
	SessionLife = 7 * 24 * time.Hour
	maxLinks    = 32 // outstanding; the oldest gives way
)

// AuthConfig says what opens the door.
type AuthConfig struct {
	// Token is the API token, at least 16 characters.
	Token string
	// SessionKey signs console sessions: 32 random bytes that outlive the
	// process, so that a restart signs nobody out.
	SessionKey []byte
	// Secure is set when browsers reach the console over https: the cookie
	// is then bound to that.
	Secure bool
	Now    func() time.Time // nil: time.Now
}

// Auth knows who may use the private listener. Safe for concurrent use.
type Auth struct {
	token  [sha256.Size]byte // hashed, so that comparing tells nothing of its length either
	key    []byte
	secure bool
	now    func() time.Time

	mu      sync.Mutex
	links   []link               // unused sign-in links, oldest first
	revoked map[string]time.Time // signed-out sessions until they would have ended; a restart forgets them
}

type link struct {
	hash    [sha256.Size]byte
	expires time.Time
}

// NewAuth checks its configuration; it starts nothing.
func NewAuth(cfg AuthConfig) (*Auth, error) {
	if len(cfg.Token) < 16 {
		return nil, errors.New("admin token is shorter than 16 characters: set a longer TAGMILL_ADMIN_TOKEN, or unset it to have one made")
	}
	if len(cfg.SessionKey) != 32 {
		return nil, errors.New("admin session key must have 32 bytes")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Auth{
		token: sha256.Sum256([]byte(cfg.Token)), key: cfg.SessionKey, secure: cfg.Secure, now: cfg.Now,
		revoked: map[string]time.Time{},
	}, nil
}

// Identify names who makes a request: "console" for a session, "cli" or "api"
// for the token. It is the author of the revisions the request makes.
func (a *Auth) Identify(r *http.Request) (author string, ok bool) {
	if scheme, token, found := strings.Cut(r.Header.Get("Authorization"), " "); found && strings.EqualFold(scheme, "Bearer") {
		sum := sha256.Sum256([]byte(strings.TrimSpace(token)))
		if subtle.ConstantTimeCompare(sum[:], a.token[:]) != 1 {
			return "", false
		}
		if strings.HasPrefix(r.UserAgent(), "tagmill/") {
			return "cli", true
		}
		return "api", true
	}
	if _, _, ok := a.session(r); ok {
		return "console", true
	}
	return "", false
}

// NewLink makes the secret of a one-time sign-in link.
func (a *Auth) NewLink() (secret string, expires time.Time) {
	secret = randomText(24)
	expires = a.now().Add(LinkLife)
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.links) == maxLinks {
		a.links = a.links[1:]
	}
	a.links = append(a.links, link{sha256.Sum256([]byte(secret)), expires})
	return secret, expires
}

// SignIn exchanges a link's secret for a session cookie, once. It reports
// false for a secret that is unknown, used or too old.
func (a *Auth) SignIn(w http.ResponseWriter, secret string) bool {
	if !a.useLink(secret) {
		return false
	}
	http.SetCookie(w, a.cookie(a.sign(a.now().Add(SessionLife)), int(SessionLife/time.Second)))
	return true
}

// SignOut ends the request's session, if it has one.
func (a *Auth) SignOut(w http.ResponseWriter, r *http.Request) {
	if id, expires, ok := a.session(r); ok {
		now := a.now()
		a.mu.Lock()
		for k, end := range a.revoked {
			if end.Before(now) {
				delete(a.revoked, k)
			}
		}
		a.revoked[id] = expires
		a.mu.Unlock()
	}
	http.SetCookie(w, a.cookie("", -1))
}

func (a *Auth) useLink(secret string) bool {
	sum := sha256.Sum256([]byte(secret))
	now := a.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	kept, used := a.links[:0], false
	for _, l := range a.links {
		switch {
		case subtle.ConstantTimeCompare(l.hash[:], sum[:]) == 1:
			used = l.expires.After(now)
		case l.expires.After(now):
			kept = append(kept, l)
		}
	}
	a.links = kept
	return used
}

// A session is id (16 random bytes) and expiry (8, unix seconds), signed.
const sessionBytes = 16 + 8

func (a *Auth) sign(expires time.Time) string {
	b := make([]byte, sessionBytes, sessionBytes+sha256.Size)
	_, _ = rand.Read(b[:16]) // never fails: crypto/rand ends the process instead
	binary.BigEndian.PutUint64(b[16:], uint64(expires.Unix()))
	return base64.RawURLEncoding.EncodeToString(a.seal(b))
}

func (a *Auth) seal(b []byte) []byte {
	mac := hmac.New(sha256.New, a.key)
	mac.Write([]byte("tagmill console session 1\x00"))
	mac.Write(b)
	return mac.Sum(b)
}

func (a *Auth) session(r *http.Request) (id string, expires time.Time, ok bool) {
	c, err := r.Cookie(a.cookieName())
	if err != nil {
		return "", time.Time{}, false
	}
	b, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || len(b) != sessionBytes+sha256.Size {
		return "", time.Time{}, false
	}
	if !hmac.Equal(b, a.seal(append([]byte(nil), b[:sessionBytes]...))) {
		return "", time.Time{}, false
	}
	expires = time.Unix(int64(binary.BigEndian.Uint64(b[16:sessionBytes])), 0)
	if !expires.After(a.now()) {
		return "", time.Time{}, false
	}
	id = string(b[:16])
	a.mu.Lock()
	_, gone := a.revoked[id]
	a.mu.Unlock()
	return id, expires, !gone
}

func (a *Auth) cookieName() string {
	if a.secure {
		return "__Host-tagmill_session"
	}
	return "tagmill_session"
}

func (a *Auth) cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: a.cookieName(), Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: a.secure, SameSite: http.SameSiteStrictMode,
	}
}

func randomText(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
	return base64.RawURLEncoding.EncodeToString(b)
}

type authorKey struct{}

// WithAuthor remembers who makes a request.
func WithAuthor(ctx context.Context, author string) context.Context {
	return context.WithValue(ctx, authorKey{}, author)
}

// Author returns who makes the request, as Identify named it.
func Author(ctx context.Context) string {
	author, _ := ctx.Value(authorKey{}).(string)
	return author
}

// LinkURL is the address of a one-time sign-in link.
func LinkURL(console, secret string) string { return console + "/signin?link=" + secret }
