package storetest

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/tagmill/tagmill/settings"
)

func secrets(f *fixture) {
	const plain = "s3cret-value-never-in-the-open"
	secretOf := func(d settings.Destination, key string) string {
		f.Helper()
		ref, ok := settings.Ref(d.Settings[key])
		if !ok {
			f.Fatalf("%s is %v, want a reference", key, d.Settings[key])
		}
		v, err := f.Secret(f.Context(), ref)
		if err != nil {
			f.Fatal(err)
		}
		return v
	}
	f.do(flip(true, map[string]any{"token": "a", "apiSecret": plain}))
	f.reopen()
	first := f.site().Destinations[0]
	if got := secretOf(first, "apiSecret"); got != plain {
		f.Errorf("secret is %q", got)
	}
	// Absent, masked or nil settings keep it; another value is another secret.
	f.do(flip(true, map[string]any{"token": "b"}))
	f.do(flip(true, map[string]any{"token": "c", "apiSecret": settings.Mask}))
	f.do(flip(false, nil))
	if got := secretOf(f.site().Destinations[0], "apiSecret"); got != plain {
		f.Errorf("kept secret is %q", got)
	}
	f.do(flip(true, map[string]any{"token": "c", "apiSecret": "another"}))
	if got := secretOf(f.site().Destinations[0], "apiSecret"); got != "another" {
		f.Errorf("new secret is %q", got)
	}
	if got := secretOf(first, "apiSecret"); got != plain {
		f.Errorf("the old revision's secret is %q", got)
	}
	// An old revision brings its own secret back.
	f.do(settings.Rollback{Workspace: "default", Source: "website", Revision: 2})
	f.reopen()
	if got := secretOf(f.site().Destinations[0], "apiSecret"); got != plain {
		f.Errorf("secret after the rollback is %q", got)
	}
	f.do(flip(true, map[string]any{"token": "a", "apiSecret": ""}))
	if _, has := f.site().Destinations[0].Settings["apiSecret"]; has {
		f.Error("an empty text did not remove the secret")
	}
	hook := func(values map[string]any) settings.PutDestination {
		return settings.PutDestination{Workspace: "default", Source: "website", Integration: "webhook", Mode: settings.Server, Enabled: true, Settings: values}
	}
	f.do(hook(map[string]any{"url": "https://x.example", "secret": "${env:HOOK_SECRET}"}))
	if got := secretOf(f.site().Destinations[1], "secret"); got != "from-the-environment" {
		f.Errorf("secret from the environment is %q", got)
	}
	if _, err := f.Secret(f.Context(), "sec_nosuch"); !errors.Is(err, settings.ErrNotFound) {
		f.Errorf("unknown reference: %v", err)
	}
	// A reference found elsewhere cannot be planted to have a secret sent to a stranger.
	stolen := map[string]any{"url": "https://evil.example", "secret": first.Settings["apiSecret"]}
	if got := f.problems(hook(stolen)); !slices.Contains(got, "settings.secret") {
		f.Errorf("a foreign reference was taken: %q", got)
	}
	var dump bytes.Buffer
	if err := f.Backup(f.Context(), &dump); err != nil {
		f.Fatal(err)
	}
	if bytes.Contains(dump.Bytes(), []byte(plain)) {
		f.Error("the backup holds a secret in the open")
	}
}

func anotherKey(f *fixture) {
	f.do(flip(true, map[string]any{"token": "a", "apiSecret": "x"}))
	f.Store.Close()
	for _, key := range [][]byte{nil, bytes.Repeat([]byte{8}, settings.KeySize)} {
		c := f.config
		c.SecretKey = key
		_, err := f.engine.Open(f.Context(), f.place, c)
		var wrong *settings.WrongKey
		if !errors.As(err, &wrong) || !strings.Contains(err.Error(), wrong.Want) || !strings.Contains(err.Error(), "TAGMILL_SECRET_KEY") {
			f.Errorf("key %x: %v", key, err)
		}
	}
	f.open()
}

func backupAndRestore(f *fixture) {
	f.do(flip(true, map[string]any{"token": "a", "apiSecret": "x"}))
	f.do(settings.CreateSource{Workspace: "default", Slug: "gone"})
	f.do(settings.DeleteSource{Workspace: "default", Source: "gone"})
	var dump bytes.Buffer
	if err := f.Backup(f.Context(), &dump); err != nil {
		f.Fatal(err)
	}
	full := dump.Bytes()
	for _, cut := range []int{0, 1, len(full) / 2, len(full) - 2} {
		place := f.TempDir()
		if err := f.engine.Restore(f.Context(), place, bytes.NewReader(full[:cut])); err == nil {
			f.Errorf("a backup cut at byte %d was restored", cut)
		}
		// What failed left nothing behind and can be done again.
		if err := f.engine.Restore(f.Context(), place, bytes.NewReader(full)); err != nil {
			f.Errorf("after a cut at %d: %v", cut, err)
		}
		if err := f.engine.Restore(f.Context(), place, bytes.NewReader(full)); !errors.Is(err, settings.ErrConflict) {
			f.Errorf("restored over settings: %v", err)
		}
		other, err := f.engine.Open(f.Context(), place, f.config)
		if err != nil {
			f.Fatal(err)
		}
		if lines := settings.Compare(f.Snapshot(), other.Snapshot()); len(lines) > 0 {
			f.Errorf("restored is different: %q", lines)
		}
		var again bytes.Buffer
		if err := other.Backup(f.Context(), &again); err != nil {
			f.Error(err)
		}
		if !bytes.Equal(full, again.Bytes()) {
			f.Errorf("a backup of the restored differs:\n%s\nwant\n%s", again.Bytes(), full)
		}
		if err := other.Close(); err != nil {
			f.Error(err)
		}
	}
	flipped := bytes.Replace(full, []byte(`"token":"a"`), []byte(`"token":"b"`), 1)
	if err := f.engine.Restore(f.Context(), f.TempDir(), bytes.NewReader(flipped)); err == nil || !strings.Contains(err.Error(), "checksum") {
		f.Errorf("a changed backup: %v", err)
	}
}
