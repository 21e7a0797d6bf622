package eventlog

import (
	"fmt"
	"strconv"
	"strings"
)

// Position is a Cursor taken apart, for engines. Its text form is
//
//	LOGID:partition-offset,partition-offset...
//
// for example "5f3a9c01d2e4b678:0-1234,1-98": the identity of the log, so that
// a cursor is never used on another log, and for each partition the offset of
// the next record to read, partitions rising. A partition that is not named
// is read from its oldest record.
type Position struct {
	LogID string // lower-case letters and digits
	Next  []PartitionOffset
}

// PartitionOffset is a place in one partition.
type PartitionOffset struct {
	Partition int32
	Offset    int64
}

// Cursor returns the text form.
func (p Position) Cursor() Cursor {
	buf := make([]byte, 0, len(p.LogID)+24*len(p.Next)+1)
	buf = append(buf, p.LogID...)
	buf = append(buf, ':')
	for i, n := range p.Next {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = strconv.AppendInt(buf, int64(n.Partition), 10)
		buf = append(buf, '-')
		buf = strconv.AppendInt(buf, n.Offset, 10)
	}
	return Cursor(buf)
}

// Offset returns the next offset in a partition, 0 when it is not named.
func (p Position) Offset(partition int32) int64 {
	for _, n := range p.Next {
		if n.Partition == partition {
			return n.Offset
		}
	}
	return 0
}

// ParseCursor takes a cursor apart. The empty cursor is a Position without
// partitions. A cursor of another log than logID is an error.
func ParseCursor(c Cursor, logID string) (Position, error) {
	if c == "" {
		return Position{LogID: logID}, nil
	}
	id, rest, ok := strings.Cut(string(c), ":")
	if !ok || id == "" {
		return Position{}, fmt.Errorf("cursor %q: not of the form LOGID:partition-offset", c)
	}
	if id != logID {
		return Position{}, fmt.Errorf("cursor %q belongs to another log than %s: drop it, or restore the log it was made on", c, logID)
	}
	p := Position{LogID: id}
	for rest != "" {
		var one string
		one, rest, _ = strings.Cut(rest, ",")
		part, off, _ := strings.Cut(one, "-")
		n, err := strconv.ParseInt(part, 10, 32)
		if err != nil || n < 0 {
			return Position{}, fmt.Errorf("cursor %q: partition %q is not a number", c, part)
		}
		o, err := strconv.ParseInt(off, 10, 64)
		if err != nil || o < 0 {
			return Position{}, fmt.Errorf("cursor %q: offset %q is not a number", c, off)
		}
		p.Next = append(p.Next, PartitionOffset{int32(n), o})
	}
	for i := 1; i < len(p.Next); i++ {
		if p.Next[i].Partition <= p.Next[i-1].Partition {
			return Position{}, fmt.Errorf("cursor %q: partitions do not rise", c)
		}
	}
	return p, nil
}

// CheckCursorName returns an error for a name that no engine takes: empty,
// longer than 200 bytes, or with anything but letters, digits and -_.:/ in it.
func CheckCursorName(name string) error {
	if name == "" || len(name) > 200 {
		return fmt.Errorf("cursor name %q: must have 1 to 200 characters", name)
	}
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-_.:/", c) >= 0:
		default:
			return fmt.Errorf("cursor name %q: character %q; letters, digits and -_.:/ are allowed", name, c)
		}
	}
	return nil
}
