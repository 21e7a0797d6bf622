package disk

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/tagmill/tagmill/events/eventlog"
	"github.com/tagmill/tagmill/events/eventlog/logtest"
)

func open(t testing.TB, opts Options) *Log {
	t.Helper()
	l, err := Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestContract(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent()) // a log that another test broke keeps Pebble
	logtest.Run(t, func(t *testing.T) eventlog.Log { return open(t, Options{Dir: t.TempDir()}) })
}
