// Package admintest is a tagmill without its machines, for the tests of the
// private listener and for looking at the console: settings in memory, a
// publisher that takes its time, an event log in memory.
package admintest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tagmill/tagmill/bundler"
	"github.com/tagmill/tagmill/bundler/publish"
	"github.com/tagmill/tagmill/settings"
)

// Store is a settings.Store in memory. Down, when set, fails every change.
type Store struct {
	*settings.Live
	editor settings.Editor

	mu      sync.Mutex // one change at a time; guards what follows
	history map[string][]settings.Revision
	Down    error
}

// NewStore returns a Store with one workspace and one source in it.
func NewStore(catalog settings.Catalog, now func() time.Time) (*Store, error) {
	sealer, err := settings.NewSealer(make([]byte, settings.KeySize))
	if err != nil {
		return nil, err
	}
	s := &Store{
		Live:    settings.NewLive(settings.NewSnapshot(0, nil, nil)),
		editor:  settings.Editor{Catalog: catalog, Sealer: sealer, Now: now},
		history: map[string][]settings.Revision{},
	}
	_, err = s.Do(context.Background(), "setup",
		settings.CreateWorkspace{Slug: "default", Name: "Default"},
		settings.CreateSource{Workspace: "default", Slug: "website", Name: "Website", WriteKey: "wk_website_1"})
	return s, err
}

// Do is settings.Store's.
func (s *Store) Do(_ context.Context, author string, changes ...settings.Change) (*settings.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Down != nil {
		return nil, s.Down
	}
	edit, err := s.editor.Edit(s.Snapshot(), author, s.pastLocked, changes...)
	if err != nil {
		return nil, err
	}
	for _, r := range edit.Revisions {
		s.history[r.SourceID] = append([]settings.Revision{r}, s.history[r.SourceID]...)
	}
	s.Publish(edit.Next)
	return edit.Next, nil
}

// DryRun is settings.DryRunner's.
func (s *Store) DryRun(_ context.Context, author string, changes ...settings.Change) (*settings.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edit, err := s.editor.Edit(s.Snapshot(), author, s.pastLocked, changes...)
	if err != nil {
		return nil, err
	}
	return edit.Next, nil
}

// History is settings.Store's.
func (s *Store) History(_ context.Context, sourceID string, before int64, limit int) ([]settings.Revision, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []settings.Revision
	for _, r := range s.history[sourceID] {
		if (before == 0 || r.Number < before) && len(out) < limit {
			out = append(out, r)
		}
	}
	return out, nil
}

// Secret is settings.Store's.
func (s *Store) Secret(context.Context, string) (string, error) {
	return "", errors.New("nobody who faces people needs a secret")
}

func (s *Store) pastLocked(sourceID string, number int64) (*settings.Revision, error) {
	for _, r := range s.history[sourceID] {
		if r.Number == number {
			return &r, nil
		}
	}
	return nil, fmt.Errorf("revision %d: %w", number, settings.ErrNotFound)
}

// Bundles pretends to publish: a revision is live as soon as it is asked
// about, or never when Fail says why.
type Bundles struct {
	Store *Store
	Now   func() time.Time

	mu   sync.Mutex // guards what follows
	Fail string
	at   map[string]publish.Status
}

// Status is publish.Publisher's.
func (b *Bundles) Status(sourceID string) (publish.Status, bool) {
	s := b.Store.Snapshot().SourceByID(sourceID)
	if s == nil {
		return publish.Status{}, false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at == nil {
		b.at = map[string]publish.Status{}
	}
	st := b.at[sourceID]
	if st.Revision == s.Revision {
		return st, true
	}
	if b.Fail != "" {
		st.SourceID, st.Wanted, st.State, st.Error = s.ID, s.Revision, publish.StateFailed, b.Fail
		return st, true
	}
	st = publish.Status{
		SourceID: s.ID, Revision: s.Revision, Wanted: s.Revision, State: publish.StateLive,
		LiveSince: b.Now(), FlipToLive: 18.4, Final: true, Keys: map[string]string{},
		Report: bundler.Report{Integrations: map[string]bundler.Share{"runtime": {Raw: 19120, Gzip: 7204, Brotli: 6488, Exact: true}}},
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", s.ID, s.Revision))
	st.BuildID = hex.EncodeToString(sum[:10])
	for _, d := range s.Destinations {
		if d.Enabled && d.Mode != settings.Server {
			n := 380 + 97*len(d.Integration)
			st.Report.Integrations[d.Integration] = bundler.Share{Raw: n * 3, Gzip: n * 11 / 10, Brotli: n, Exact: true}
		}
	}
	for _, share := range st.Report.Integrations {
		st.Report.Raw += share.Raw
		st.Report.Gzip += share.Gzip
		st.Report.Brotli += share.Brotli
	}
	for _, k := range s.Keys {
		if k.RetiredAt == nil {
			st.Keys[k.Key] = st.BuildID
		}
	}
	b.at[sourceID] = st
	return st, true
}

// SetFail makes the next revisions fail with a reason; "" ends that.
func (b *Bundles) SetFail(why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Fail = why
}

// Script is api.Bundles'.
func (b *Bundles) Script(writeKey string) ([]byte, string, bool) {
	if b.Store.Snapshot().SourceByKey(writeKey) == nil {
		return nil, "", false
	}
	return []byte("/* the bundle of " + writeKey + " */\n"), `"0123456789abcdef01234567-br"`, true
}

// Snippets writes something like the real ones.
type Snippets struct{}

// Inline is api.Snippets'.
func (Snippets) Inline(writeKey string) (string, error) {
	return `<script>!function(){var a=window.analytics=window.analytics||[];/* the loader */a.load("` + writeKey + `");a.page()}()</script>`, nil
}

// External is api.Snippets'.
func (Snippets) External(writeKey string) (html, js, cspHash string, err error) {
	return `<script src="/tagmill.js" async></script>`, `!function(){window.analytics.load("` + writeKey + `")}()`,
		"'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='", nil
}
