package settings

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
)

// A dump is everything a Store keeps, in a form that every engine reads and
// writes, so that a backup of one can be restored into another: lines of
// JSON, the first a header, the last the number and the SHA-256 of the lines
// between. Secrets stay sealed.
const (
	dumpFormat  = "tagmill-settings"
	dumpVersion = 1
	maxDumpLine = 64 << 20
)

// DumpRecord is one line of a dump: exactly one field is set.
type DumpRecord struct {
	Workspace *Workspace `json:"workspace,omitempty"`
	Source    *Source    `json:"source,omitempty"` // deleted ones too
	Revision  *Revision  `json:"revision,omitempty"`
	Sealed    *Sealed    `json:"sealed,omitempty"`
}

type dumpHeader struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	Seq     int64  `json:"seq"`
}

type dumpTrailer struct {
	Records int    `json:"records"`
	SHA256  string `json:"sha256"`
}

// DumpWriter writes a dump. Close must be called; without it the dump is
// refused as cut short.
type DumpWriter struct {
	w       *bufio.Writer
	sum     hash.Hash
	records int
}

// NewDumpWriter begins a dump of the state numbered seq.
func NewDumpWriter(w io.Writer, seq int64) (*DumpWriter, error) {
	d := &DumpWriter{w: bufio.NewWriter(w), sum: sha256.New()}
	return d, d.line(dumpHeader{dumpFormat, dumpVersion, seq}, d.w)
}

// Write adds one record.
func (d *DumpWriter) Write(r DumpRecord) error {
	d.records++
	return d.line(r, io.MultiWriter(d.w, d.sum))
}

// Close ends the dump; it does not close the writer below.
func (d *DumpWriter) Close() error {
	if err := d.line(dumpTrailer{d.records, hex.EncodeToString(d.sum.Sum(nil))}, d.w); err != nil {
		return err
	}
	if err := d.w.Flush(); err != nil {
		return fmt.Errorf("write settings dump: %w", err)
	}
	return nil
}

func (d *DumpWriter) line(v any, to io.Writer) error {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = to.Write(append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("write settings dump: %w", err)
	}
	return nil
}

// ReadDump calls each for every record and returns the dump's seq. The
// checksum is known only at the end: a caller undoes what it did with the
// records when there is an error.
func ReadDump(r io.Reader, each func(DumpRecord) error) (seq int64, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxDumpLine)
	next := func() error {
		if lines.Scan() {
			return nil
		}
		if err := lines.Err(); err != nil {
			return fmt.Errorf("read settings dump: %w", err)
		}
		return errors.New("read settings dump: it is cut short: use another copy")
	}
	if err := next(); err != nil {
		return 0, err
	}
	var head dumpHeader
	if err := json.Unmarshal(lines.Bytes(), &head); err != nil || head.Format != dumpFormat {
		return 0, errors.New("read settings dump: this is not a tagmill settings dump")
	}
	if head.Version != dumpVersion {
		return 0, fmt.Errorf("read settings dump: it has format %d, this program reads %d: use the version of tagmill that wrote it, or a newer one", head.Version, dumpVersion)
	}
	sum := sha256.New()
	for n := 0; ; n++ {
		if err := next(); err != nil {
			return 0, err
		}
		var line struct {
			DumpRecord
			dumpTrailer
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return 0, fmt.Errorf("read settings dump: record %d: %w", n+1, err)
		}
		if line.SHA256 != "" {
			if line.Records != n || line.SHA256 != hex.EncodeToString(sum.Sum(nil)) {
				return 0, errors.New("read settings dump: it does not match its checksum: use another copy")
			}
			return head.Seq, nil
		}
		sum.Write(lines.Bytes())
		sum.Write([]byte("\n"))
		if err := each(line.DumpRecord); err != nil {
			return 0, fmt.Errorf("read settings dump: record %d: %w", n+1, err)
		}
	}
}
