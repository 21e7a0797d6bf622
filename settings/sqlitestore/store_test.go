package sqlitestore_test

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/tagmill/tagmill/settings"
	"github.com/tagmill/tagmill/settings/sqlitestore"
	"github.com/tagmill/tagmill/settings/storetest"
)

func file(place string) string { return filepath.Join(place, "settings.db") }

func open(ctx context.Context, place string, c storetest.Config) (storetest.Store, error) {
	s, err := sqlitestore.Open(ctx, sqlitestore.Options{
		Path: file(place), Catalog: c.Catalog, Rules: c.Rules, SecretKey: c.SecretKey, Env: c.Env, Now: c.Now,
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func TestContract(t *testing.T) {
	defer goleak.VerifyNone(t)
	storetest.Run(t, storetest.Engine{
		Open: open,
		Restore: func(ctx context.Context, place string, r io.Reader) error {
			return sqlitestore.Restore(ctx, file(place), r)
		},
	})
}

// BenchmarkFlip is one flip, durable, in a store of 200 sources with ten
// destinations each.
func BenchmarkFlip(b *testing.B) {
	s, err := open(b.Context(), b.TempDir(), config())
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	changes := []settings.Change{settings.CreateWorkspace{Slug: "default"}}
	put := settings.PutDestination{Workspace: "default", Integration: "mixpanel", Settings: map[string]any{"token": "t", "apiSecret": "s"}}
	for i := range 200 {
		put.Source = fmt.Sprint("s", i)
		changes = append(changes, settings.CreateSource{Workspace: "default", Slug: put.Source})
		for n := range 10 {
			put.Name = fmt.Sprint("n", n)
			changes = append(changes, put)
		}
	}
	if _, err := s.Do(b.Context(), "bench", changes...); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		put.Enabled = !put.Enabled
		if _, err := s.Do(b.Context(), "bench", put); err != nil {
			b.Fatal(err)
		}
	}
}
