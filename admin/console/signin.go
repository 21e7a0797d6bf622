package console

import "net/http"

type signinView struct {
	Link   string
	Failed bool
}

// signinPage only shows a button: programs that fetch every link they see (chat
// previews, virus scanners) must not use the link up.
func (c *Console) signinPage(w http.ResponseWriter, r *http.Request) {
	if _, ok := c.Auth.Identify(r); ok {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	c.render(w, r, http.StatusOK, "signin", page{Title: "Sign in", Body: signinView{Link: r.URL.Query().Get("link")}})
}

func (c *Console) signin(w http.ResponseWriter, r *http.Request) {
	if !c.Auth.SignIn(w, r.PostFormValue("link")) {
		c.render(w, r, http.StatusForbidden, "signin", page{Title: "Sign in", Body: signinView{Failed: true}})
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

func (c *Console) signout(w http.ResponseWriter, r *http.Request) {
	c.Auth.SignOut(w, r)
	http.Redirect(w, r, "/signin", http.StatusSeeOther)
}
