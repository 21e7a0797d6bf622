package settings

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Store keeps settings. Every implementation passes storetest.
type Store interface {
	// Snapshot returns the newest state this process knows. Never nil, never blocks.
	Snapshot() *Snapshot
	// Watch sends the newest snapshot now and after each change until ctx
	// ends. Slow receivers skip states, never the newest one.
	Watch(ctx context.Context) <-chan *Snapshot
	// Do applies changes in order in one transaction, all or none, and
	// returns the snapshot that has them. Each source touched gets one new
	// numbered revision for the whole transaction. A change that alters
	// nothing makes no revision. Errors: *Invalid, ErrNotFound, ErrConflict,
	// ErrUnavailable.
	Do(ctx context.Context, author string, changes ...Change) (*Snapshot, error)
	// History lists a source's revisions, newest first, those below before
	// (0: from the newest), at most limit.
	History(ctx context.Context, sourceID string, before int64, limit int) ([]Revision, error)
	// Secret returns the value behind a reference found in a destination's
	// settings, as Ref gives it. ErrNotFound when it is gone.
	Secret(ctx context.Context, ref string) (string, error)
}

// DryRunner is a Store that can say what Do would give without doing it. The
// snapshot is for looking at alone: ids in it are not kept. Errors as Do.
type DryRunner interface {
	DryRun(ctx context.Context, author string, changes ...Change) (*Snapshot, error)
}

// Errors of a Store. Test with errors.Is; *Invalid with errors.As.
var (
	ErrNotFound    = errors.New("not found")
	ErrConflict    = errors.New("conflict")
	ErrUnavailable = errors.New("settings store is unavailable")
)

// Invalid is a change that breaks rules, with every mistake found.
type Invalid struct{ Problems []Problem }

// Problem is one mistake: where, and what would be right.
type Problem struct {
	// Path is "settings.token", "slug"; where several changes were asked for
	// at once it begins with the thing's path in a Document:
	// "workspaces.default.sources.website.destinations.mixpanel.settings.token".
	Path    string `json:"path"`
	Message string `json:"message"`
	// Line in the document that was applied; 0 where there is none.
	Line int `json:"line,omitempty"`
}

func (e *Invalid) Error() string {
	var b strings.Builder
	b.WriteString("invalid settings")
	for i, p := range e.Problems {
		if i == 0 {
			b.WriteString(": ")
		} else {
			b.WriteString("; ")
		}
		if p.Line > 0 {
			fmt.Fprintf(&b, "line %d: ", p.Line)
		}
		if p.Path != "" {
			b.WriteString(p.Path)
			b.WriteString(": ")
		}
		b.WriteString(p.Message)
	}
	return b.String()
}
