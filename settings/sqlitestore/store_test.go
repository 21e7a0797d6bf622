package sqlitestore_test

import (
	"context"
	"io"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

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
