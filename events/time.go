package events

import (
	"strconv"
	"time"
)

// layouts are what clients send besides RFC 3339, which is tried first.
var layouts = []string{
	"2006-01-02T15:04:05.999999999", // no zone: UTC
	"2006-01-02T15:04:05.999999999Z0700",
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999",
	"2006-01-02",
}

// parseTime reads a client's timestamp. Numbers are not guessed at: nothing
// says whether they count seconds or milliseconds.
func parseTime(text []byte) (time.Time, bool) {
	if len(text) < len("2006-01-02") || len(text) > 64 {
		return time.Time{}, false
	}
	var t time.Time
	if t.UnmarshalText(text) == nil { // strict RFC 3339; asks for no memory
		return t.UTC(), plausible(t)
	}
	for _, layout := range layouts {
		if t, err := time.Parse(layout, string(text)); err == nil {
			return t.UTC(), plausible(t)
		}
	}
	return time.Time{}, false
}

// plausible keeps out what RFC 3339 cannot write in UTC, and the zero time,
// which means "absent" here.
func plausible(t time.Time) bool {
	y := t.UTC().Year()
	return y >= 1 && y <= 9999 && !t.IsZero()
}

// appendTime appends RFC 3339 in UTC with milliseconds, as Segment writes it.
func appendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = appendPadded(dst, year, 4)
	dst = append(dst, '-')
	dst = appendPadded(dst, int(month), 2)
	dst = append(dst, '-')
	dst = appendPadded(dst, day, 2)
	dst = append(dst, 'T')
	dst = appendPadded(dst, hour, 2)
	dst = append(dst, ':')
	dst = appendPadded(dst, minute, 2)
	dst = append(dst, ':')
	dst = appendPadded(dst, second, 2)
	dst = append(dst, '.')
	dst = appendPadded(dst, t.Nanosecond()/1e6, 3)
	return append(dst, 'Z')
}

func appendPadded(dst []byte, n, width int) []byte {
	at := len(dst)
	for range width {
		dst = append(dst, '0')
	}
	for i := at + width - 1; i >= at && n > 0; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
	return dst
}

func appendInt(dst []byte, n int) []byte { return strconv.AppendInt(dst, int64(n), 10) }

// corrected is when an event happened by the server's clock. A client's clock
// may be wrong, but it is as wrong in sentAt as in original, so their distance
// is true. Distances that no clock or queue explains are not believed.
func corrected(receivedAt, original, sentAt time.Time) time.Time {
	if original.IsZero() {
		return receivedAt
	}
	if sentAt.IsZero() {
		return original
	}
	const century = 100 * 365 * 24 * time.Hour
	distance := sentAt.Sub(original) // ends at 292 years
	if distance.Abs() > century {
		return receivedAt
	}
	return receivedAt.Add(-distance)
}
