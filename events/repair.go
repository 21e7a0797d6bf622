package events

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// repair appends to dst a strict form of a body that is JSON but for bad
// UTF-8, lone surrogates and repeated names: U+FFFD in place of the first two,
// the last value in place of the first of the third, as JavaScript's
// JSON.parse has it. Everything else stays as it is, number by number. Other
// errors in body are reported as ErrSyntax or ErrTooDeep.
func repair(dst, body []byte, depth int) ([]byte, Repairs, error) {
	r := repairer{depth: depth, out: dst}
	r.dec.Reset(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if err := r.value(); err != nil {
		return dst, Repairs{}, r.syntax(err)
	}
	if _, err := r.dec.ReadToken(); err == nil {
		return dst, Repairs{}, fmt.Errorf("%w: something follows the object at byte %d", ErrSyntax, r.dec.InputOffset())
	} else if !errors.Is(err, io.EOF) {
		return dst, Repairs{}, r.syntax(err)
	}
	return r.out, r.repairs, nil
}

type repairer struct {
	dec     jsontext.Decoder
	depth   int
	out     []byte
	repairs Repairs
}

func (r *repairer) syntax(err error) error {
	if errors.Is(err, ErrTooDeep) {
		return err
	}
	return syntaxError(err)
}

// value copies the next value. Its recursion is bounded by depth.
func (r *repairer) value() error {
	switch r.dec.PeekKind() {
	case '{':
		return r.object()
	case '[':
		return r.array()
	case '"':
		_, err := r.text()
		return err
	}
	v, err := r.dec.ReadValue()
	r.out = append(r.out, v...)
	return err
}

func (r *repairer) array() error {
	if err := r.open('['); err != nil {
		return err
	}
	for n := 0; r.dec.PeekKind() != ']'; n++ {
		if n > 0 {
			r.out = append(r.out, ',')
		}
		if err := r.value(); err != nil {
			return err
		}
	}
	return r.close(']')
}

func (r *repairer) object() error {
	if err := r.open('{'); err != nil {
		return err
	}
	// place holds where each member lies in out, its comma left out. A later
	// one of the same name takes the place of the earlier.
	type place struct{ lo, hi int }
	var places []place
	index := map[string]int{}
	start, again := len(r.out), false
	for r.dec.PeekKind() != '}' {
		if len(places) > 0 {
			r.out = append(r.out, ',')
		}
		lo := len(r.out)
		name, err := r.text()
		if err != nil {
			return err
		}
		r.out = append(r.out, ':')
		if err := r.value(); err != nil {
			return err
		}
		p := place{lo, len(r.out)}
		if i, ok := index[string(name)]; ok {
			places[i], again = p, true
			r.repairs.Duplicates++
			continue
		}
		index[string(name)] = len(places)
		places = append(places, p)
	}
	if again {
		var kept []byte
		for i, p := range places {
			if i > 0 {
				kept = append(kept, ',')
			}
			kept = append(kept, r.out[p.lo:p.hi]...)
		}
		r.out = append(r.out[:start], kept...)
	}
	return r.close('}')
}

func (r *repairer) open(c byte) error {
	if r.dec.StackDepth() >= r.depth {
		return errTooDeep(r.depth)
	}
	_, err := r.dec.ReadToken()
	r.out = append(r.out, c)
	return err
}

func (r *repairer) close(c byte) error {
	_, err := r.dec.ReadToken()
	r.out = append(r.out, c)
	return err
}

// text copies a string, made good, and returns what it spells.
func (r *repairer) text() ([]byte, error) {
	raw, err := r.dec.ReadValue()
	if err != nil {
		return nil, err
	}
	spelled, err := jsontext.AppendUnquote(nil, raw)
	if err == nil {
		r.out = append(r.out, raw...)
		return spelled, nil
	}
	// The one thing that can be wrong with a string that was read is its
	// Unicode; spelled has U+FFFD there.
	r.repairs.Text++
	r.out = quote(r.out, spelled)
	return spelled, nil
}
