package settings_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/tagmill/tagmill/settings"
	"github.com/tagmill/tagmill/settings/storetest"
)

func newSealer(t *testing.T, b byte) *settings.Sealer {
	t.Helper()
	s, err := settings.NewSealer(bytes.Repeat([]byte{b}, settings.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSealedOpensOnlyInItsPlace(t *testing.T) {
	s := newSealer(t, 1)
	box := s.Seal("src_a", "secret")
	if got, err := s.Open(box); got != "secret" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}
	other := s.Seal("src_a", "secret")
	if other.Ref == box.Ref || bytes.Equal(other.Box, box.Box) {
		t.Error("the same value sealed twice looks the same")
	}
	for name, spoil := range map[string]func(*settings.Sealed){
		"other ref":    func(v *settings.Sealed) { v.Ref = other.Ref },
		"other source": func(v *settings.Sealed) { v.SourceID = "src_b" },
		"bit flipped":  func(v *settings.Sealed) { v.Box = bytes.Clone(v.Box); v.Box[len(v.Box)-1] ^= 1 },
		"cut":          func(v *settings.Sealed) { v.Box = v.Box[:5] },
		"empty":        func(v *settings.Sealed) { v.Box = nil },
	} {
		v := box
		spoil(&v)
		if got, err := s.Open(v); err == nil || !strings.Contains(err.Error(), v.Ref) {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	var wrong *settings.WrongKey
	if _, err := newSealer(t, 2).Open(box); !errors.As(err, &wrong) || wrong.Want != s.KeyID() {
		t.Errorf("another key: %v", err)
	}
	if _, err := settings.NewSealer(nil); err == nil {
		t.Error("no key made a sealer")
	}
}

func TestRef(t *testing.T) {
	for _, c := range []struct {
		value any
		ref   string
		ok    bool
	}{
		{map[string]any{"$secret": "sec_1"}, "sec_1", true},
		{map[string]any{"$env": "NAME"}, "env:NAME", true},
		{map[string]any{"$secret": 1}, "", false},
		{map[string]any{"$secret": "a", "b": 1}, "", false},
		{map[string]any{}, "", false},
		{"sec_1", "", false},
		{nil, "", false},
	} {
		if ref, ok := settings.Ref(c.value); ref != c.ref || ok != c.ok {
			t.Errorf("%v: %q, %v", c.value, ref, ok)
		}
	}
}

func TestMaskedComesBackUnchanged(t *testing.T) {
	d := newDesk(t, storetest.TestCatalog())
	d.do(settings.PutDestination{Workspace: "default", Source: "website", Integration: "mixpanel", Enabled: true,
		Settings: map[string]any{"token": "t", "apiSecret": "s3cret", "trap": "${env:NAME}"}})
	shown := settings.MaskedSource(d.site(), d.Catalog).Destinations[0]
	if shown.Settings["apiSecret"] != settings.Mask || shown.Settings["trap"] != "${env:NAME}" || shown.Settings["token"] != "t" {
		t.Errorf("shown %v", shown.Settings)
	}
	if e, err := d.try(put("mixpanel", shown.Settings)); err != nil || !e.Empty() {
		t.Errorf("what was shown, sent back, changes something: %v", err)
	}
	if _, isRef := settings.Ref(d.site().Destinations[0].Settings["apiSecret"]); !isRef {
		t.Error("masking changed the original")
	}
}
