package events

import (
	"bytes"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// splitter takes an object apart that Decode has already read as one value.
type splitter struct {
	dec     jsontext.Decoder
	src     bytes.Buffer
	members []member
}

// split lists the members of the object at s in body, which is known to be
// valid. The list is good until the next split.
func (p *splitter) split(body []byte, s span) []member {
	p.src = *bytes.NewBuffer(body[s.lo:s.hi])
	p.dec.Reset(&p.src)
	p.members = p.members[:0]
	p.dec.ReadToken() // {
	for p.dec.PeekKind() != '}' {
		name, err := p.read(s.lo)
		if err != nil {
			return p.members // cannot be: the object is valid
		}
		value, err := p.read(s.lo)
		if err != nil {
			return p.members
		}
		p.members = append(p.members, member{name: name, value: value})
	}
	return p.members
}

func (p *splitter) read(base uint32) (span, error) {
	v, err := p.dec.ReadValue()
	end := base + uint32(p.dec.InputOffset())
	return span{end - uint32(len(v)), end}, err
}

// tooDeep reports whether a valid value nests objects and arrays more than
// limit deep. Counting brackets settles it for nearly every value.
func tooDeep(v []byte, limit int) bool {
	if v[0] != '{' && v[0] != '[' || len(v) < 2*(limit+1) {
		return false
	}
	if bytes.Count(v, []byte{'{'})+bytes.Count(v, []byte{'['}) <= limit {
		return false
	}
	depth, inString := 0, false
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case inString:
			if c == '\\' {
				i++
			} else if c == '"' {
				inString = false
			}
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			if depth++; depth > limit {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}

func errTooDeep(limit int) error {
	return fmt.Errorf("%w: at most %d levels are taken", ErrTooDeep, limit)
}
