package cdn

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// sites holds what is live, by write key. Readers take no lock and allocate
// nothing: they load one of many small immutable maps, and Go looks a byte
// slice up in a map[string] without making a string (sync.Map would box the
// key on each read). A writer copies and swaps only the small map that its
// key is in, so a put costs a few dozen entries even with 10,000 keys.
type sites struct {
	seed   maphash.Seed
	shards [shardCount]shard
}

const shardCount = 256

type shard struct {
	live atomic.Pointer[map[string]*site]

	mu sync.Mutex // serialises writers
	// writes counts puts and removes, so that a look-up that began before
	// one does not undo it.
	writes uint64
}

// site is the bundles of one write key: immutable.
type site [variants]*prepared

func newSites() *sites {
	s := &sites{seed: maphash.MakeSeed()}
	for i := range s.shards {
		s.shards[i].live.Store(&map[string]*site{})
	}
	return s
}

// get returns what is live for a key, or nil.
func (s *sites) get(writeKey []byte) *site {
	m := s.shards[maphash.Bytes(s.seed, writeKey)%shardCount].live.Load()
	return (*m)[string(writeKey)]
}

func (s *sites) shard(writeKey string) *shard {
	return &s.shards[maphash.String(s.seed, writeKey)%shardCount]
}

func (s *sites) put(writeKey string, v Variant, p *prepared) {
	sh := s.shard(writeKey)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.putLocked(writeKey, v, p)
}

// version is what putUnlessWritten compares with.
func (s *sites) version(writeKey string) uint64 {
	sh := s.shard(writeKey)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.writes
}

// putUnlessWritten puts p if nothing near the key was put or removed since
// version: what a look-up found must not replace what was published, or
// removed, while it ran. Left out, the key is simply looked up again.
func (s *sites) putUnlessWritten(version uint64, writeKey string, v Variant, p *prepared) {
	sh := s.shard(writeKey)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.writes == version {
		sh.putLocked(writeKey, v, p)
	}
}

func (sh *shard) putLocked(writeKey string, v Variant, p *prepared) {
	next := sh.copyLocked()
	st := &site{}
	if old := next[writeKey]; old != nil {
		*st = *old
	}
	st[v] = p
	next[writeKey] = st
	sh.live.Store(&next)
}

func (s *sites) remove(writeKey string) {
	sh := s.shard(writeKey)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	next := sh.copyLocked()
	delete(next, writeKey)
	sh.live.Store(&next)
}

// copyLocked copies the live map for a change, and counts the change.
func (sh *shard) copyLocked() map[string]*site {
	sh.writes++
	old := *sh.live.Load()
	next := make(map[string]*site, len(old)+1)
	for k, v := range old {
		next[k] = v
	}
	return next
}

// len counts keys.
func (s *sites) len() int {
	n := 0
	for i := range s.shards {
		n += len(*s.shards[i].live.Load())
	}
	return n
}
