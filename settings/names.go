package settings

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	slugForm   = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)
	keyForm    = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	destForm   = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	envForm    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
	envPhrase  = regexp.MustCompile(`^\$\{env:([^}]*)\}$`)
	labelForm  = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)
	reservedIn = []string{"api", "assets", "livez", "metrics", "new", "readyz", "signin", "signout", "sources", "workspaces"}
	// A page's script may use a write key as a property name.
	reservedKey = []string{"__proto__", "constructor", "prototype"}
)

const maxName = 100 // characters

// checkSlug says what is wrong with the slug of a workspace or source.
func checkSlug(slug string) string {
	switch {
	case slug == "":
		return "is missing: give a short name such as \"website\""
	case !slugForm.MatchString(slug):
		return fmt.Sprintf("%s cannot be a slug: use a lower-case letter, then letters, digits and -, at most 63 in all", quote(slug))
	case slices.Contains(reservedIn, slug):
		return fmt.Sprintf("%q is reserved for the console's own addresses: choose another", slug)
	}
	return ""
}

func checkName(name string) string {
	switch {
	case strings.TrimSpace(name) == "":
		return "is empty: give a name for people, or leave it out"
	case !utf8.ValidString(name):
		return "is not valid UTF-8"
	case utf8.RuneCountInString(name) > maxName:
		return fmt.Sprintf("is longer than %d characters", maxName)
	case strings.ContainsFunc(name, unicode.IsControl):
		return "contains control characters"
	}
	return ""
}

func checkKey(key string) string {
	switch {
	case !keyForm.MatchString(key):
		return fmt.Sprintf("%s cannot be a write key: use 1 to 64 letters, digits, _ and -, or leave it out to have one made", quote(key))
	case slices.Contains(reservedKey, key):
		return fmt.Sprintf("%q has a meaning in JavaScript: choose another write key", key)
	}
	return ""
}

func checkEnvironment(env string) string {
	if !labelForm.MatchString(env) {
		return fmt.Sprintf("%s cannot be an environment: use a lower-case word such as production or staging", quote(env))
	}
	return ""
}

func checkDestinationName(name string) string {
	if name != "" && !destForm.MatchString(name) {
		return fmt.Sprintf("%s cannot name a destination: use lower-case letters, digits and -, at most 63", quote(name))
	}
	return ""
}

// quote shows foreign text in a message, cut where it is long.
func quote(s string) string {
	const most = 80
	if len(s) > most {
		return fmt.Sprintf("%q…", s[:most])
	}
	return fmt.Sprintf("%q", s)
}

// Label is how people see a destination: "mixpanel" or "mixpanel:eu". The
// same words address it in the API and in a Document.
func (d *Destination) Label() string { return label(d.Integration, d.Name) }

func label(integration, name string) string {
	if name == "" {
		return integration
	}
	return integration + ":" + name
}
