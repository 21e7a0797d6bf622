package settings

// Change is one thing to do to the settings; the types below are all there are.
type Change interface{ change() }

// The changes. Slugs match ^[a-z][a-z0-9-]{0,62}$. Pointers: nil leaves as is.
type (
	// CreateWorkspace fails with ErrConflict when the slug is taken.
	CreateWorkspace struct{ Slug, Name string }
	// UpdateWorkspace makes a revision of every source it touches.
	UpdateWorkspace struct {
		Workspace string // slug
		Name      *string
		Options   *Options // replaces
	}
	// CreateSource makes the source with one production key and revision 1.
	CreateSource struct {
		Workspace, Slug, Name string
		// WriteKey, when given, is kept (a migration, an apply); else made.
		WriteKey string
	}
	// UpdateSource renames or sets options.
	UpdateSource struct {
		Workspace, Source string
		Name              *string
		Options           *Options // replaces
	}
	// DeleteSource stops a source: its keys are unknown at once, its record is
	// kept for DeletedKept.
	DeleteSource struct{ Workspace, Source string }
	// RestoreSource brings back the source most recently deleted under this
	// slug. ErrConflict when the slug or one of its keys has been taken since.
	RestoreSource struct{ Workspace, Source string }
	// AddKey gives the source one more write key: the one given, else a made
	// one. A key it already has is made active again, under this environment
	// (empty: production).
	AddKey struct{ Workspace, Source, Environment, Key string }
	// RetireKey makes a key unknown.
	RetireKey struct{ Workspace, Source, Key string }
	// PutDestination creates or replaces one destination: the flip. Integration
	// may be an alias. A nil Settings keeps the present ones; a secret that
	// is absent, or still masked as it came out, keeps its present value.
	PutDestination struct {
		Workspace, Source, Integration, Name string
		Enabled                              bool
		Mode                                 Mode // empty: browser, or as it was
		Settings                             map[string]any
	}
	// DeleteDestination removes one.
	DeleteDestination struct{ Workspace, Source, Integration, Name string }
	// Rollback makes an older revision's destinations and options live again,
	// as a new revision.
	Rollback struct {
		Workspace, Source string
		Revision          int64
	}
	// ExpectRevision alters nothing: it fails the whole transaction with
	// ErrConflict unless the source's revision is this one, before the
	// changes that follow. So two editors cannot undo each other unseen.
	ExpectRevision struct {
		Workspace, Source string
		Revision          int64
	}
)

func (CreateWorkspace) change()   {}
func (UpdateWorkspace) change()   {}
func (CreateSource) change()      {}
func (UpdateSource) change()      {}
func (DeleteSource) change()      {}
func (RestoreSource) change()     {}
func (AddKey) change()            {}
func (RetireKey) change()         {}
func (PutDestination) change()    {}
func (DeleteDestination) change() {}
func (Rollback) change()          {}
func (ExpectRevision) change()    {}
