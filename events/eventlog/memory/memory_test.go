package memory

import (
	"testing"

	"github.com/tagmill/tagmill/events/eventlog"
	"github.com/tagmill/tagmill/events/eventlog/logtest"
)

func TestContract(t *testing.T) {
	logtest.Run(t, func(*testing.T) eventlog.Log { return New(Options{}) })
}
