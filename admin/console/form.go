package console

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	integrations "github.com/tagmill/tagmill/integrations-js"
	"github.com/tagmill/tagmill/settings"
)

// input is one field of a form made from a manifest.
type input struct {
	integrations.Field
	ID      string
	Value   string // text, number, enum; a list or map as lines
	Checked bool   // bool
	Stored  bool   // a secret that is there already
	Problem string
	Hint    string // a value that would be right
	// When says which other setting must have which value for this one to
	// mean anything: "mode=cdp"; the script hides it elsewhere.
	When string
}

type formView struct {
	ID       string // of the destination, "" for one that has no name yet
	Slug     string
	Name     string
	Another  bool // a further one of the kind: it needs a name
	Manifest *integrations.Manifest
	Dest     *settings.Destination
	Enabled  bool
	Mode     string
	Modes    []string
	Inputs   []input
	Problems map[string]string // by path, those that belong to no input
	Changed  string            // what somebody else changed meanwhile
	Hosts    []hostLine
	Revision int64
}

type hostLine struct {
	Directive string
	Hosts     []string
}

func (c *Console) integrationPage(w http.ResponseWriter, r *http.Request, v view) {
	slug, name, d, err := c.find(v, r.PathValue("id"))
	if err != nil {
		c.problem(w, r, err)
		return
	}
	f := c.form(v, slug, name, d)
	if r.URL.Query().Get("another") != "" {
		f = c.form(v, slug, "", nil)
		f.Another = true
	}
	if f.Manifest == nil {
		c.problem(w, r, fmt.Errorf("integration %q is not in this version's catalog: %w", slug, settings.ErrNotFound))
		return
	}
	c.showForm(w, r, http.StatusOK, v, f)
}

func (c *Console) showForm(w http.ResponseWriter, r *http.Request, status int, v view, f *formView) {
	c.render(w, r, status, "integration", page{Title: f.Manifest.Name + " · " + v.Source.Name, Tab: "integrations", View: &v, Body: f})
}

// form is the form as it is before anybody has typed.
func (c *Console) form(v view, slug, name string, d *settings.Destination) *formView {
	m := c.Catalog.Manifest(slug)
	f := &formView{ID: label(slug, name), Slug: slug, Name: name, Manifest: m, Dest: d, Enabled: true, Problems: map[string]string{}, Revision: v.Source.Revision}
	if m == nil {
		return f
	}
	f.Modes = slices.Clone(m.Modes)
	if len(m.Modes) > 1 {
		f.Modes = append(f.Modes, string(settings.Both))
	}
	f.Mode = f.Modes[0]
	values := map[string]any{}
	if d != nil {
		f.Enabled, f.Mode = d.Enabled, string(d.Mode)
		values = settings.Masked(*d, c.Catalog).Settings
	}
	for _, field := range m.Settings {
		in := input{Field: field, ID: "f-" + field.Key}
		for _, other := range slices.Sorted(maps.Keys(field.ShowIf)) {
			in.When = fmt.Sprintf("%s=%v", other, field.ShowIf[other])
		}
		value, has := values[field.Key]
		if !has {
			value = field.Default
		}
		switch {
		case field.Secret:
			// The stored value never comes back to a page, not even masked:
			// an empty field keeps it.
			in.Stored = has
			if s, _ := value.(string); strings.HasPrefix(s, "${env:") {
				in.Value = s // a variable's name is no secret
			}
		case field.Type == "bool":
			in.Checked, _ = value.(bool)
		default:
			in.Value = showValue(value)
		}
		if field.TestValue != nil && !field.Secret {
			in.Hint = showValue(field.TestValue)
		}
		f.Inputs = append(f.Inputs, in)
	}
	for _, directive := range slices.Sorted(maps.Keys(m.Hosts)) {
		hosts := slices.DeleteFunc(slices.Clone(m.Hosts[directive]), func(h string) bool { return strings.HasPrefix(h, "{") }) // a setting's
		f.Hosts = append(f.Hosts, hostLine{directive, hosts})
	}
	return f
}

// saveIntegration takes the form back.
func (c *Console) saveIntegration(w http.ResponseWriter, r *http.Request, v view) {
	slug, name, d, err := c.find(v, r.PathValue("id"))
	if err != nil {
		c.problem(w, r, err)
		return
	}
	another := r.PostFormValue("another") != ""
	if another {
		d, name = nil, strings.TrimSpace(r.PostFormValue("name"))
	}
	f := c.form(v, slug, name, d)
	if f.Manifest == nil {
		c.problem(w, r, fmt.Errorf("integration %q is not in this version's catalog: %w", slug, settings.ErrNotFound))
		return
	}
	f.Another = another
	given := f.read(r)
	if another && (name == "" || c.has(v, slug, name)) {
		f.Problems["name"] = "Give it a name that the others do not have, such as \"eu\"."
		c.showForm(w, r, http.StatusUnprocessableEntity, v, f)
		return
	}
	changes := []settings.Change{settings.PutDestination{
		Workspace: v.Workspace.Slug, Source: v.Source.Slug, Integration: slug, Name: name,
		Enabled: f.Enabled, Mode: settings.Mode(f.Mode), Settings: given,
	}}
	if n, err := strconv.ParseInt(r.PostFormValue("revision"), 10, 64); err == nil {
		changes = append([]settings.Change{settings.ExpectRevision{Workspace: v.Workspace.Slug, Source: v.Source.Slug, Revision: n}}, changes...)
	}
	snap, err := c.do(r, changes...)
	var wrong *settings.Invalid
	switch {
	case errors.As(err, &wrong):
		f.mark(wrong.Problems)
		c.showForm(w, r, http.StatusUnprocessableEntity, v, f)
	case errors.Is(err, settings.ErrConflict):
		f.Changed = c.meanwhile(r, v)
		c.showForm(w, r, http.StatusConflict, v, f)
	case err != nil:
		c.problem(w, r, err)
	case snap.Source(v.Workspace.Slug, v.Source.Slug).Revision == v.Source.Revision:
		http.Redirect(w, r, v.Base()+"?note=same", http.StatusSeeOther)
	default:
		http.Redirect(w, r, v.Base()+"?note=saved", http.StatusSeeOther)
	}
}

func (c *Console) has(v view, slug, name string) bool {
	return slices.ContainsFunc(v.Source.Destinations, func(d settings.Destination) bool { return d.Integration == slug && d.Name == name })
}

// meanwhile says what the newest revision changed, and who made it.
func (c *Console) meanwhile(r *http.Request, v view) string {
	history, err := c.Store.History(r.Context(), v.Source.ID, 0, 1)
	if err != nil || len(history) == 0 {
		return "something"
	}
	return fmt.Sprintf("%s (by %s)", history[0].Summary, history[0].Author)
}

// read takes what was typed into the inputs, so that it is shown again beside
// what is wrong with it, and returns it as settings.
func (f *formView) read(r *http.Request) map[string]any {
	_ = r.ParseForm() // what cannot be parsed is missing, and is reported so
	f.Enabled = r.PostForm.Get("enabled") == "true"
	if m := r.PostForm.Get("mode"); m != "" {
		f.Mode = m
	}
	given := map[string]any{}
	for i := range f.Inputs {
		in := &f.Inputs[i]
		text := strings.ReplaceAll(strings.TrimSpace(r.PostForm.Get("s."+in.Key)), "\r\n", "\n")
		switch {
		case in.Secret:
			if r.PostForm.Get("forget."+in.Key) != "" {
				given[in.Key] = ""
			} else if text != "" {
				given[in.Key] = text
			}
			if !strings.HasPrefix(text, "${env:") {
				text = "" // a secret is not sent back, even when it was refused
			}
			in.Value = text
		case in.Type == "bool":
			in.Checked = text == "true"
			given[in.Key] = in.Checked
		default:
			in.Value = text
			if v := parseValue(in.Type, text); v != nil {
				given[in.Key] = v
			}
		}
	}
	return given
}

// mark puts each problem beside the input it belongs to.
func (f *formView) mark(problems []settings.Problem) {
	for _, p := range problems {
		placed := false
		for i := range f.Inputs {
			if p.Path == "settings."+f.Inputs[i].Key || strings.HasPrefix(p.Path, "settings."+f.Inputs[i].Key+"[") {
				f.Inputs[i].Problem, placed = p.Message, true
			}
		}
		if !placed {
			f.Problems[p.Path] = p.Message
		}
	}
}

// parseValue turns text into a setting, nil for none. What does not parse
// stays text: the catalog says what is wrong with it.
func parseValue(kind, text string) any {
	if text == "" {
		return nil
	}
	switch kind {
	case "number":
		if n, err := strconv.ParseFloat(text, 64); err == nil {
			return n
		}
	case "list":
		out := []any{}
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" {
				out = append(out, line)
			}
		}
		return out
	case "map":
		out := map[string]any{}
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); line != "" {
				k, v, _ := strings.Cut(line, "=")
				out[strings.TrimSpace(k)] = strings.TrimSpace(v)
			}
		}
		return out
	}
	return text
}

// showValue is a setting as text to edit: the other way of parseValue.
func showValue(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	case []any:
		var lines []string
		for _, e := range x {
			lines = append(lines, fmt.Sprint(e))
		}
		return strings.Join(lines, "\n")
	case map[string]any:
		var lines []string
		for _, k := range slices.Sorted(maps.Keys(x)) {
			lines = append(lines, fmt.Sprintf("%s = %v", k, x[k]))
		}
		return strings.Join(lines, "\n")
	}
	return fmt.Sprint(v)
}
