package events

import (
	"bytes"
	"net/netip"
	"slices"
	"time"
)

// Address says what is kept of a person's IP address.
type Address string

// The choices. The empty Address is AddressFull.
const (
	AddressFull      Address = "full"
	AddressTruncated Address = "truncated" // to /24 (IPv4) or /48 (IPv6)
	AddressOff       Address = "off"
)

// Stamp is what the server adds to the events of a request.
type Stamp struct {
	ReceivedAt time.Time // to the millisecond
	WriteKey   string
	// Client says that a browser or phone of the person sent the request, so
	// that its address and user agent are the person's and fill an absent
	// context.ip and context.userAgent.
	Client    bool
	IP        netip.Addr // of the sender; the zero Addr when unknown
	UserAgent []byte
	// Address also governs a context.ip that the event brings along.
	Address Address
	Bot     bool // marks context.bot
}

// AppendEvent appends the canonical form of e to dst: one JSON object on one
// line, without a line end. What the client sent is copied to the letter,
// numbers included, in its order; what the server decides is in fixed places:
// type and messageId first, then the client's members, then context,
// integrations, originalTimestamp, sentAt, timestamp, receivedAt, channel,
// writeKey and version. Decoding and stamping it again gives the same bytes.
func (b *Batch) AppendEvent(dst []byte, e *Event, s *Stamp) []byte {
	from := len(dst)
	dst = append(dst, '{')
	if e.Type != "" {
		dst = append(dst, `"type":"`...)
		dst = append(dst, e.Type...)
		dst = append(dst, `",`...)
	} else if !e.otherType.empty() { // to be discarded, but to be seen
		dst = append(dst, `"type":`...)
		dst = append(dst, b.bytes(e.otherType)...)
		dst = append(dst, ',')
	}
	dst = append(dst, `"messageId":`...)
	dst = quote(dst, e.MessageID)
	for _, m := range b.members[e.members.lo:e.members.hi] {
		dst = append(dst, ',')
		dst = b.appendMember(dst, m)
	}
	dst = append(dst, `,"context":{`...)
	dst = b.appendContext(dst, e, s)
	dst = append(dst, '}')
	dst = b.appendIntegrations(dst, e)
	dst = b.appendTimes(dst, e, s)
	dst = append(dst, `,"channel":`...)
	switch {
	case !e.channel.empty():
		dst = append(dst, b.bytes(e.channel)...)
	case s.Client:
		dst = append(dst, `"client"`...)
	default:
		dst = append(dst, `"server"`...)
	}
	dst = append(dst, `,"writeKey":`...)
	dst = quote(dst, s.WriteKey)
	dst = append(dst, `,"version":2}`...)
	oneLine(dst[from:])
	return dst
}

func (b *Batch) appendMember(dst []byte, m member) []byte {
	dst = append(dst, b.bytes(m.name)...)
	dst = append(dst, ':')
	if m.quote {
		dst = append(dst, '"')
		dst = append(dst, b.bytes(m.value)...)
		return append(dst, '"')
	}
	return append(dst, b.bytes(m.value)...)
}

// appendContext appends the members of the event's context, those of the
// envelope's that the event does not have, and what the server knows.
func (b *Batch) appendContext(dst []byte, e *Event, s *Stamp) []byte {
	own := b.context[e.context.lo:e.context.hi]
	envelope := b.context[b.envContext.lo:b.envContext.hi]
	start := len(dst)
	var hasIP, hasUserAgent bool
	put := func(m member) {
		switch m.field {
		case fieldIP:
			hasIP = true
			ip, keep := b.keptIP(m.value, s.Address)
			if !keep {
				return
			}
			if ip.IsValid() {
				dst = appendComma(dst, start)
				dst = appendIP(append(dst, `"ip":`...), ip)
				return
			}
		case fieldUserAgent:
			hasUserAgent = true
		case fieldBot:
			if s.Bot {
				return
			}
		}
		dst = appendComma(dst, start)
		dst = b.appendMember(dst, m)
	}
	for _, m := range own {
		put(m)
	}
	for _, m := range b.lacking(own, envelope) {
		put(m)
	}
	if !hasIP && (s.Client || e.direct) && s.IP.IsValid() && s.Address != AddressOff {
		dst = appendComma(dst, start)
		dst = appendIP(append(dst, `"ip":`...), truncate(s.IP, s.Address))
	}
	if !hasUserAgent && s.Client && len(s.UserAgent) > 0 {
		dst = appendComma(dst, start)
		dst = quote(append(dst, `"userAgent":`...), s.UserAgent)
	}
	if s.Bot {
		dst = appendComma(dst, start)
		dst = append(dst, `"bot":true`...)
	}
	return dst
}

func appendComma(dst []byte, start int) []byte {
	if len(dst) > start {
		return append(dst, ',')
	}
	return dst
}

// lacking lists the envelope's members whose names own does not have; the list
// is good until the next call. Comparing each with each is best for the few
// there are; for many, made to keep us busy, there is a map.
func (b *Batch) lacking(own, envelope []member) []member {
	if len(own) == 0 {
		return envelope
	}
	b.lacked = b.lacked[:0]
	if len(own)*len(envelope) <= 1000 {
		for _, m := range envelope {
			name := b.unescaped(m.name)
			if !slices.ContainsFunc(own, func(o member) bool { return bytes.Equal(b.unescaped(o.name), name) }) {
				b.lacked = append(b.lacked, m)
			}
		}
		return b.lacked
	}
	names := make(map[string]bool, len(own))
	for _, m := range own {
		names[string(b.unescaped(m.name))] = true
	}
	for _, m := range envelope {
		if !names[string(b.unescaped(m.name))] {
			b.lacked = append(b.lacked, m)
		}
	}
	return b.lacked
}

// keptIP says what becomes of a context.ip: dropped, kept as it came (the zero
// Addr), or kept as the address given.
func (b *Batch) keptIP(value span, a Address) (ip netip.Addr, keep bool) {
	switch a {
	case AddressOff:
		return netip.Addr{}, false
	case AddressTruncated:
		if b.kind(value) != '"' {
			return netip.Addr{}, b.kind(value) == 'n'
		}
		ip, err := netip.ParseAddr(string(b.text(value)))
		if err != nil {
			return netip.Addr{}, false // whatever it is, it cannot be truncated
		}
		return truncate(ip, a), true
	}
	return netip.Addr{}, true
}

func truncate(ip netip.Addr, a Address) netip.Addr {
	ip = ip.Unmap().WithZone("")
	if a != AddressTruncated {
		return ip
	}
	bits := 48
	if ip.Is4() {
		bits = 24
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr()
}

func appendIP(dst []byte, ip netip.Addr) []byte {
	dst = append(dst, '"')
	dst = ip.AppendTo(dst)
	return append(dst, '"')
}

// appendIntegrations appends the event's integrations and those of the
// envelope that the event does not name.
func (b *Batch) appendIntegrations(dst []byte, e *Event) []byte {
	own, envelope := e.integrations, b.integrations
	if own.empty() {
		own, envelope = envelope, span{}
	}
	if own.empty() {
		return dst
	}
	dst = append(dst, `,"integrations":`...)
	if envelope.empty() || b.kind(own) != '{' {
		return append(dst, b.bytes(own)...)
	}
	if len(b.envelope) == 0 {
		b.envelope = append(b.envelope, b.aside.split(b.body, envelope)...)
	}
	mine := b.aside.split(b.body, own)
	start := len(dst) + 1
	dst = append(dst, '{')
	for _, m := range mine {
		dst = appendComma(dst, start)
		dst = b.appendMember(dst, m)
	}
	for _, m := range b.lacking(mine, b.envelope) {
		dst = appendComma(dst, start)
		dst = b.appendMember(dst, m)
	}
	return append(dst, '}')
}

// appendTimes appends the four times. A client that says nothing of when is
// taken to have sent the event as it happened.
func (b *Batch) appendTimes(dst []byte, e *Event, s *Stamp) []byte {
	dst = append(dst, `,"originalTimestamp":`...)
	switch {
	case !e.originalText.empty():
		dst = append(dst, b.bytes(e.originalText)...)
	case !e.sentText.empty():
		dst = append(dst, b.bytes(e.sentText)...)
	default:
		dst = append(dst, '"')
		dst = appendTime(dst, s.ReceivedAt)
		dst = append(dst, '"')
	}
	if !e.sentText.empty() {
		dst = append(dst, `,"sentAt":`...)
		dst = append(dst, b.bytes(e.sentText)...)
	}
	dst = append(dst, `,"timestamp":"`...)
	dst = appendTime(dst, corrected(s.ReceivedAt, e.original, e.sentAt))
	dst = append(dst, `","receivedAt":"`...)
	dst = appendTime(dst, s.ReceivedAt)
	return append(dst, '"')
}

// oneLine makes line ends into spaces. In valid JSON they lie between tokens
// only, where both mean the same.
func oneLine(json []byte) {
	for _, c := range [...]byte{'\n', '\r'} {
		for rest := json; ; {
			i := bytes.IndexByte(rest, c)
			if i < 0 {
				break
			}
			rest[i] = ' '
			rest = rest[i+1:]
		}
	}
}
