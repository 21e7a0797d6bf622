package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	integrations "github.com/tagmill/tagmill/integrations-js"
	"github.com/tagmill/tagmill/internal/web"
	"github.com/tagmill/tagmill/settings"
	"github.com/tagmill/tagmill/settings/sqlitestore"
)

// Check reports every mistake in configuration and settings that can be found
// without starting: flags, certificate, catalog, and, where the data folder has
// been used and no server holds it, each destination against its manifest and
// each secret's presence. nil: a start would not refuse.
func Check(ctx context.Context, cfg Config, host Host) error {
	errs := []error{cfg.Validate()}
	if cfg.TLSCert != "" && cfg.TLSKey != "" {
		_, err := web.New(web.Config{Addr: cfg.Edge, AddrFlag: "--edge", CertFile: cfg.TLSCert, KeyFile: cfg.TLSKey, Logger: host.Log})
		errs = append(errs, err)
	}
	catalog, err := integrations.Open()
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	if _, err := os.Stat(filepath.Join(cfg.Data, "format")); errors.Is(err, fs.ErrNotExist) {
		return errors.Join(errs...) // a first start; there are no settings yet
	}
	data, err := OpenDataDir(cfg.Data)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	defer data.Close()
	return errors.Join(append(errs, checkSettings(ctx, cfg, host, data, catalog))...)
}

func checkSettings(ctx context.Context, cfg Config, host Host, data *DataDir, catalog *integrations.Catalog) error {
	key, err := data.key(cfg.SecretKey, "TAGMILL_SECRET_KEY", secretKeyFile)
	if err != nil {
		return err
	}
	store, err := sqlitestore.Open(ctx, sqlitestore.Options{
		Path: cfg.servicePath(cfg.SettingsURL, "sqlite:", "settings.db"), Catalog: catalog, SecretKey: key, Env: host.Getenv,
	})
	if err != nil {
		return err
	}
	defer store.Close()
	var errs []error
	snap := store.Snapshot()
	for _, src := range snap.Sources {
		for _, d := range src.Destinations {
			if d.Enabled {
				errs = append(errs, checkDestination(ctx, snap.WorkspaceByID(src.WorkspaceID).Slug+"/"+src.Slug, d, store, catalog)...)
			}
		}
	}
	return errors.Join(errs...)
}

func checkDestination(ctx context.Context, source string, d settings.Destination, store settings.Store, catalog *integrations.Catalog) (errs []error) {
	for _, p := range settings.CheckDestination(d, catalog) {
		errs = append(errs, fmt.Errorf("source %s: %s: %s: %s", source, d.Label(), p.Path, p.Message))
	}
	for _, key := range slices.Sorted(maps.Keys(d.Settings)) {
		if ref, ok := settings.Ref(d.Settings[key]); ok {
			if _, err := store.Secret(ctx, ref); err != nil {
				errs = append(errs, fmt.Errorf("source %s: %s: %s: %w", source, d.Label(), key, err))
			}
		}
	}
	return errs
}
