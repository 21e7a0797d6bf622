package cdn

import "testing"

func TestIfNoneMatch(t *testing.T) {
	etag := []byte(`"abc-br"`)
	for _, c := range []struct {
		line string
		want bool
	}{
		{`"abc-br"`, true},
		{`W/"abc-br"`, true},
		{`*`, true},
		{` * `, true},
		{`"x", "abc-br"`, true},
		{`"x",W/"abc-br","y"`, true},
		{`"x"	,	"abc-br"`, true},
		{`, ,"abc-br"`, true},
		{`"with, comma", "abc-br"`, true},
		{`"", "abc-br"`, true},
		{``, false},
		{`"abc-gzip"`, false},
		{`abc-br`, false},
		{`"abc-br`, false},
		{`"x"abc-br"`, false},
		{`"x" "abc-br"`, false}, // no comma: malformed
		{`w/"abc-br"`, false},   // the W is case-sensitive
		{`W/ "abc-br"`, false},
		{`W/`, false},
		{`*, "x"`, false},
		{`"ABC-br"`, false},
	} {
		if got := matches([]byte(c.line), etag); got != c.want {
			t.Errorf("%s: got %v, want %v", c.line, got, c.want)
		}
	}
}

func TestEntityTagsDifferByBytesAndByEncoding(t *testing.T) {
	seen := map[string]bool{}
	for _, body := range []string{"", "a", "b"} {
		for e := brotli; e < encodings; e++ {
			tag := string(entityTag([]byte(body), e))
			if seen[tag] {
				t.Errorf("%q in %s: %s is taken", body, e, tag)
			}
			seen[tag] = true
			if !matches([]byte(tag), []byte(tag)) || tag[0] != '"' {
				t.Errorf("%s is no strong entity tag", tag)
			}
		}
	}
}

func FuzzIfNoneMatch(f *testing.F) {
	f.Add(`"a", W/"b"`)
	f.Fuzz(func(t *testing.T, line string) {
		if matches([]byte(line), []byte(`"never there"`)) && line != `*` && string(trimOWS([]byte(line))) != `*` {
			// It can only match by holding the tag.
			for i := range line {
				if len(line) >= i+13 && line[i:i+13] == `"never there"` {
					return
				}
			}
			t.Fatalf("%q matches a tag it does not hold", line)
		}
	})
}
