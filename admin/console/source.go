package console

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/tagmill/tagmill/settings"
)

type installView struct {
	Key                  settings.WriteKey
	Keys                 []settings.WriteKey // active
	Inline               string
	HTML, JS, CSPHash    string // the external form
	PublicURL, Collector string
}

func (c *Console) installPage(w http.ResponseWriter, r *http.Request, v view) {
	body := installView{PublicURL: c.PublicURL(), Collector: c.CollectorURL()}
	for _, k := range v.Source.Keys {
		if k.RetiredAt == nil {
			body.Keys = append(body.Keys, k)
		}
	}
	if len(body.Keys) > 0 {
		body.Key = body.Keys[0]
		if i := slices.IndexFunc(body.Keys, func(k settings.WriteKey) bool { return k.Key == r.URL.Query().Get("key") }); i >= 0 {
			body.Key = body.Keys[i]
		}
		var err error
		if body.Inline, err = c.Snippet.Inline(body.Key.Key); err == nil {
			body.HTML, body.JS, body.CSPHash, err = c.Snippet.External(body.Key.Key)
		}
		if err != nil {
			c.problem(w, r, err)
			return
		}
	}
	c.render(w, r, http.StatusOK, "install", page{Title: "Install · " + v.Source.Name, Tab: "install", View: &v, Body: body})
}

func (c *Console) eventsPage(w http.ResponseWriter, r *http.Request, v view) {
	c.render(w, r, http.StatusOK, "events", page{Title: "Live events · " + v.Source.Name, Tab: "events", View: &v, Body: nil})
}

const historyPageSize = 30

type historyView struct {
	Revisions []settings.Revision
	Next      int64 // before, of the next page; 0 on the last
	Live      int64
}

func (c *Console) historyPage(w http.ResponseWriter, r *http.Request, v view) {
	before, _ := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64) // nonsense shows the newest
	history, err := c.Store.History(r.Context(), v.Source.ID, max(before, 0), historyPageSize+1)
	if err != nil {
		c.problem(w, r, err)
		return
	}
	body := historyView{Revisions: history, Live: v.Source.Revision}
	if len(history) > historyPageSize {
		body.Revisions = history[:historyPageSize]
		body.Next = history[historyPageSize-1].Number
	}
	c.render(w, r, http.StatusOK, "history", page{Title: "History · " + v.Source.Name, Tab: "history", View: &v, Body: body})
}

func (c *Console) rollback(w http.ResponseWriter, r *http.Request, v view) {
	n, err := strconv.ParseInt(r.PostFormValue("revision"), 10, 64)
	if err != nil {
		c.problem(w, r, &settings.Invalid{Problems: []settings.Problem{{Path: "revision", Message: "is not a number"}}})
		return
	}
	if _, err := c.do(r, settings.Rollback{Workspace: v.Workspace.Slug, Source: v.Source.Slug, Revision: n}); err != nil {
		c.problem(w, r, err)
		return
	}
	http.Redirect(w, r, v.Base()+"/history?note=undone", http.StatusSeeOther)
}

type settingsView struct {
	Name      string
	Own       settings.Options
	Effective settings.Options
	Origins   string
	Limit     string
	Problems  map[string]string
}

func (c *Console) settingsPage(w http.ResponseWriter, r *http.Request, v view) {
	c.showSettings(w, r, http.StatusOK, v, v.Source.Name, v.Source.Options, nil)
}

func (c *Console) showSettings(w http.ResponseWriter, r *http.Request, status int, v view, name string, own settings.Options, problems map[string]string) {
	body := settingsView{
		Name: name, Own: own, Effective: settings.Effective(v.Workspace.Options, own), Problems: problems,
		Origins: strings.Join(own.AllowedOrigins, "\n"),
	}
	if own.EventsPerSecond != 0 {
		body.Limit = strconv.Itoa(own.EventsPerSecond)
	}
	c.render(w, r, status, "settings", page{Title: "Settings · " + v.Source.Name, Tab: "settings", View: &v, Body: body})
}

func (c *Console) rename(w http.ResponseWriter, r *http.Request, v view) {
	name := strings.TrimSpace(r.PostFormValue("name"))
	_, err := c.do(r, settings.UpdateSource{Workspace: v.Workspace.Slug, Source: v.Source.Slug, Name: &name})
	if err != nil {
		c.badForm(w, r, err, func(problems map[string]string) {
			c.showSettings(w, r, http.StatusUnprocessableEntity, v, name, v.Source.Options, problems)
		})
		return
	}
	http.Redirect(w, r, v.Base()+"/settings?note=saved", http.StatusSeeOther)
}

func (c *Console) saveOptions(w http.ResponseWriter, r *http.Request, v view) {
	own, problems := readOptions(r, v.Source.Options)
	var err error
	if len(problems) == 0 {
		_, err = c.do(r, settings.UpdateSource{Workspace: v.Workspace.Slug, Source: v.Source.Slug, Options: &own})
	} else {
		wrong := &settings.Invalid{}
		for path, message := range problems {
			wrong.Problems = append(wrong.Problems, settings.Problem{Path: path, Message: message})
		}
		err = wrong
	}
	if err != nil {
		c.badForm(w, r, err, func(problems map[string]string) {
			c.showSettings(w, r, http.StatusUnprocessableEntity, v, v.Source.Name, own, problems)
		})
		return
	}
	http.Redirect(w, r, v.Base()+"/settings?note=saved", http.StatusSeeOther)
}

// readOptions takes the options form back. Empty fields mean "as the
// workspace has it".
func readOptions(r *http.Request, present settings.Options) (settings.Options, map[string]string) {
	_ = r.ParseForm() // what cannot be parsed is missing
	problems := map[string]string{}
	o := present
	o.AllowedOrigins = nil
	for line := range strings.Lines(r.PostForm.Get("allowedOrigins")) {
		if line = strings.TrimSpace(line); line != "" {
			o.AllowedOrigins = append(o.AllowedOrigins, line)
		}
	}
	o.Address, o.Bots = r.PostForm.Get("address"), r.PostForm.Get("bots")
	o.SPA, o.RefreshIDCookie = choice(r.PostForm.Get("spa")), choice(r.PostForm.Get("refreshIdCookie"))
	number := func(field string, to *int) (given bool) {
		text := strings.TrimSpace(r.PostForm.Get(field))
		if text == "" {
			return false
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			problems[field] = "is not a whole number"
		}
		*to = n
		return true
	}
	o.EventsPerSecond = 0
	number("eventsPerSecond", &o.EventsPerSecond)
	caching := settings.DefaultCaching
	given := number("caching.maxAge", &caching.MaxAge)
	given = number("caching.sMaxAge", &caching.SMaxAge) || given
	given = number("caching.staleWhileRevalidate", &caching.StaleWhileRevalidate) || given
	given = number("caching.staleIfError", &caching.StaleIfError) || given
	o.Caching = nil
	if given {
		o.Caching = &caching
	}
	return o, problems
}

func choice(text string) *bool {
	switch text {
	case "on":
		return new(true)
	case "off":
		return new(false)
	}
	return nil
}

func (c *Console) addKey(w http.ResponseWriter, r *http.Request, v view) {
	_, err := c.do(r, settings.AddKey{
		Workspace: v.Workspace.Slug, Source: v.Source.Slug,
		Environment: strings.TrimSpace(r.PostFormValue("environment")), Key: strings.TrimSpace(r.PostFormValue("key")),
	})
	if err != nil {
		c.badForm(w, r, err, func(problems map[string]string) {
			c.showSettings(w, r, http.StatusUnprocessableEntity, v, v.Source.Name, v.Source.Options, problems)
		})
		return
	}
	http.Redirect(w, r, v.Base()+"/settings?note=added", http.StatusSeeOther)
}

func (c *Console) retireKey(w http.ResponseWriter, r *http.Request, v view) {
	if _, err := c.do(r, settings.RetireKey{Workspace: v.Workspace.Slug, Source: v.Source.Slug, Key: r.PostFormValue("key")}); err != nil {
		c.problem(w, r, err)
		return
	}
	http.Redirect(w, r, v.Base()+"/settings?note=retired", http.StatusSeeOther)
}

func (c *Console) deleteSource(w http.ResponseWriter, r *http.Request, v view) {
	if strings.TrimSpace(r.PostFormValue("confirm")) != v.Source.Slug {
		c.showSettings(w, r, http.StatusUnprocessableEntity, v, v.Source.Name, v.Source.Options,
			map[string]string{"confirm": "Type " + v.Source.Slug + " to delete it."})
		return
	}
	if _, err := c.do(r, settings.DeleteSource{Workspace: v.Workspace.Slug, Source: v.Source.Slug}); err != nil {
		c.problem(w, r, err)
		return
	}
	http.Redirect(w, r, "/?note=deleted", http.StatusSeeOther)
}

// badForm shows a form again beside what is wrong with it, or the page for
// what no form can mend.
func (c *Console) badForm(w http.ResponseWriter, r *http.Request, err error, again func(problems map[string]string)) {
	var wrong *settings.Invalid
	if errors.As(err, &wrong) {
		problems := map[string]string{}
		for _, p := range wrong.Problems {
			problems[strings.TrimPrefix(p.Path, "options.")] = p.Message
		}
		again(problems)
		return
	}
	if errors.Is(err, settings.ErrConflict) {
		again(map[string]string{"": err.Error()})
		return
	}
	c.problem(w, r, err)
}
