package app

import (
	"sync"
	"sync/atomic"

	"github.com/tagmill/tagmill/events"
	"github.com/tagmill/tagmill/events/collector"
	"github.com/tagmill/tagmill/settings"
)

// sources is what the collector may know of settings: one map by write key,
// made again when the snapshot has changed. A look-up in between costs two
// atomic loads, and a key works from the moment its change was answered.
type sources struct {
	store *settings.Cached

	known atomic.Pointer[knownKeys]
	mu    sync.Mutex // one rebuild at a time; look-ups on an unchanged snapshot never take it
}

type knownKeys struct {
	of    *settings.Snapshot
	byKey map[string]collector.Source
}

func (s *sources) Source(writeKey string) (collector.Source, bool) {
	snap := s.store.Snapshot()
	known := s.known.Load()
	if known == nil || known.of != snap {
		known = s.rebuild()
	}
	src, ok := known.byKey[writeKey]
	return src, ok
}

func (s *sources) Fresh() bool { return !s.store.Stale() }

func (s *sources) rebuild() *knownKeys {
	s.mu.Lock()
	defer s.mu.Unlock()
	snap := s.store.Snapshot()
	if known := s.known.Load(); known != nil && known.of == snap {
		return known
	}
	known := &knownKeys{of: snap, byKey: map[string]collector.Source{}}
	for _, src := range snap.Sources {
		o := snap.Effective(src)
		cs := collector.Source{
			ID:              src.ID,
			AllowedOrigins:  o.AllowedOrigins,
			Address:         events.Address(o.Address),
			Bots:            collector.Bots(o.Bots),
			EventsPerSecond: o.EventsPerSecond,
			RefreshIDCookie: o.RefreshIDCookie != nil && *o.RefreshIDCookie,
		}
		for _, k := range src.Keys {
			if k.RetiredAt == nil {
				known.byKey[k.Key] = cs
			}
		}
	}
	s.known.Store(known)
	return known
}
