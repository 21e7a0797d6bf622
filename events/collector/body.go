package collector

import (
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
)

// Reasons to refuse a body. Their texts are for the sender.
var (
	errEmptyBody = errors.New("body is empty; send a JSON object")
	errBadGzip   = errors.New("gzip body is broken or cut off; send it whole")
)

// inflater unzips bodies into memory that it uses again.
type inflater struct {
	src bytes.Reader
	gz  *gzip.Reader
	out []byte
}

// isGzip goes by the body and not by what a header says: clients and proxies
// get Content-Encoding wrong, and no JSON begins like gzip.
func isGzip(body []byte) bool { return len(body) >= 2 && body[0] == 0x1f && body[1] == 0x8b }

// inflate unzips body. It stops at one byte more than limit, whatever more
// there is: what comes back is then too large for Decode, which says so. The
// bytes are valid until the next inflate.
func (f *inflater) inflate(body []byte, limit int) ([]byte, error) {
	f.src.Reset(body)
	var err error
	if f.gz == nil {
		f.gz, err = gzip.NewReader(&f.src)
	} else {
		err = f.gz.Reset(&f.src)
	}
	if err != nil {
		return nil, errBadGzip
	}
	f.out = f.out[:0]
	for len(f.out) <= limit {
		if len(f.out) == cap(f.out) {
			f.out = append(f.out, make([]byte, max(4<<10, len(f.out)))...)[:len(f.out)]
		}
		n, err := f.gz.Read(f.out[len(f.out):min(cap(f.out), limit+1)])
		f.out = f.out[:len(f.out)+n]
		switch {
		case err == io.EOF:
			return f.out, nil
		case err != nil:
			return nil, errBadGzip
		}
	}
	return f.out, nil
}
