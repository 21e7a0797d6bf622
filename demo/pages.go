package demo

import (
	"crypto/rand"
	"net/http"
	"strconv"
	"strings"
)

func (s *shop) home(w http.ResponseWriter, r *http.Request) {
	var all []map[string]any
	for _, p := range products {
		all = append(all, p.properties(1))
	}
	s.show(w, r, http.StatusOK, "home", "Little Weather", &event{Name: "Product List Viewed", Properties: map[string]any{"list_id": "all", "products": all}}, products)
}

func (s *shop) product(w http.ResponseWriter, r *http.Request) {
	p, ok := find(r.PathValue("slug"))
	if !ok {
		s.missing(w, r)
		return
	}
	s.show(w, r, http.StatusOK, "product", p.Name, &event{Name: "Product Viewed", Properties: p.properties(1)}, p)
}

func (s *shop) cart(w http.ResponseWriter, r *http.Request) {
	c := readCart(r)
	s.show(w, r, http.StatusOK, "cart", "Cart", &event{Name: "Cart Viewed", Properties: c.properties()}, c)
}

func (s *shop) changeCart(w http.ResponseWriter, r *http.Request) {
	p, ok := find(r.FormValue("product"))
	if !ok {
		s.missing(w, r)
		return
	}
	quantity, err := strconv.Atoi(r.FormValue("quantity"))
	if err != nil {
		quantity = 1
	}
	setCookie(w, cartCookie, readCart(r).with(p, quantity).String())
	http.Redirect(w, r, "/cart", http.StatusSeeOther)
}

func (s *shop) checkout(w http.ResponseWriter, r *http.Request) {
	c := readCart(r)
	if len(c) == 0 {
		http.Redirect(w, r, "/cart", http.StatusSeeOther)
		return
	}
	s.show(w, r, http.StatusOK, "checkout", "Checkout", &event{Name: "Checkout Started", Properties: c.properties()}, c)
}

func (s *shop) order(w http.ResponseWriter, r *http.Request) {
	c := readCart(r)
	if len(c) == 0 {
		http.Redirect(w, r, "/cart", http.StatusSeeOther)
		return
	}
	id := "LW-" + rand.Text()[:8]
	setCookie(w, orderCookie, id+"|"+c.String())
	setCookie(w, cartCookie, "")
	http.Redirect(w, r, "/thanks", http.StatusSeeOther)
}

// placed is an order as the thank-you page shows it.
type placed struct {
	ID   string
	Cart cart
}

func (s *shop) thanks(w http.ResponseWriter, r *http.Request) {
	id, items, _ := strings.Cut(cookie(r, orderCookie), "|")
	o := placed{id, parseCart(items)}
	if len(o.Cart) == 0 {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	s.show(w, r, http.StatusOK, "thanks", "Thank you", &event{Name: "Order Completed", Properties: o.Cart.completed(id), Once: id}, o)
}

func (s *shop) account(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusOK, "account", "Account", nil, nil)
}

// changeAccount only remembers a name to greet: who the visitor is goes to
// analytics, from the browser.
func (s *shop) changeAccount(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimSpace(r.FormValue("name"))
	if name == "" {
		name, _, _ = strings.Cut(r.FormValue("email"), "@")
	}
	if r.FormValue("leave") != "" {
		name = ""
	}
	if runes := []rune(name); len(runes) > 40 {
		name = string(runes[:40])
	}
	setCookie(w, shopperCookie, name)
	http.Redirect(w, r, "/account", http.StatusSeeOther)
}

func (s *shop) missing(w http.ResponseWriter, r *http.Request) {
	s.show(w, r, http.StatusNotFound, "missing", "Not here", nil, nil)
}
