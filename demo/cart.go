package demo

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Names of the shop's cookies.
const (
	cartCookie    = "shop_cart"
	orderCookie   = "shop_order"
	shopperCookie = "shop_name"
)

// maxQuantity of one product, in a cart.
const maxQuantity = 9

// cart is what a visitor wants to buy, in the order it was added.
type cart []line

type line struct {
	Product  product
	Quantity int
}

// readCart reads the cart's cookie; what it cannot read, it leaves out.
func readCart(r *http.Request) cart { return parseCart(cookie(r, cartCookie)) }

func parseCart(s string) cart {
	var c cart
	for item := range strings.SplitSeq(s, ".") {
		slug, n, _ := strings.Cut(item, "*")
		quantity, err := strconv.Atoi(n)
		if p, ok := find(slug); ok && err == nil {
			c = c.with(p, quantity)
		}
	}
	return c
}

func (c cart) String() string {
	items := make([]string, len(c))
	for i, l := range c {
		items[i] = l.Product.Slug + "*" + strconv.Itoa(l.Quantity)
	}
	return strings.Join(items, ".")
}

// with adds a quantity, which may be negative, of a product.
func (c cart) with(p product, quantity int) cart {
	i := slices.IndexFunc(c, func(l line) bool { return l.Product.Slug == p.Slug })
	if i < 0 {
		c = append(c, line{Product: p})
		i = len(c) - 1
	}
	// Bounded on both sides before the sum: the number may come from anywhere.
	quantity = min(max(quantity, -maxQuantity), maxQuantity)
	if c[i].Quantity = min(c[i].Quantity+quantity, maxQuantity); c[i].Quantity <= 0 {
		c = slices.Delete(c, i, i+1)
	}
	return c
}

func (c cart) count() int {
	n := 0
	for _, l := range c {
		n += l.Quantity
	}
	return n
}

// Cents is the price of a line.
func (l line) Cents() int { return l.Product.Cents * l.Quantity }

// Removed is what removing the line is reported with.
func (l line) Removed() map[string]any { return l.Product.properties(l.Quantity) }

// Goods is the price of everything in the cart.
func (c cart) Goods() int {
	n := 0
	for _, l := range c {
		n += l.Cents()
	}
	return n
}

// Shipping is free from 100 euros.
func (c cart) Shipping() int {
	if g := c.Goods(); g == 0 || g >= 10_000 {
		return 0
	}
	return 490
}

// Total is what a visitor would pay, were this a shop.
func (c cart) Total() int { return c.Goods() + c.Shipping() }

// properties are those of events about a whole cart.
func (c cart) properties() map[string]any {
	list := make([]map[string]any, len(c))
	for i, l := range c {
		list[i] = l.Product.properties(l.Quantity)
	}
	return map[string]any{"currency": currency, "value": euros(c.Goods()), "products": list}
}

// completed are the properties of Order Completed.
func (c cart) completed(id string) map[string]any {
	p := c.properties()
	p["order_id"], p["revenue"], p["shipping"], p["total"] = id, euros(c.Goods()), euros(c.Shipping()), euros(c.Total())
	return p
}

func cookie(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	v, err := url.QueryUnescape(c.Value)
	if err != nil {
		return ""
	}
	return v
}

// setCookie keeps a value for the session; an empty one removes it.
func setCookie(w http.ResponseWriter, name, value string) {
	c := &http.Cookie{Name: name, Value: url.QueryEscape(value), Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}
