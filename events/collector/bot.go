package collector

import "bytes"

// robots are parts of user agents, in lower case, that only robots have. The
// list is short on purpose: it is for the robots that say who they are, which
// is most of the traffic worth marking. "bot" alone is not in it, because
// there are phones named Cubot.
var robots = [...][]byte{
	[]byte("bot/"), []byte("bot;"), []byte("bot)"), []byte("bot "), []byte("-bot"), []byte("bot-"),
	[]byte("googlebot"), []byte("bingbot"), []byte("applebot"), []byte("gptbot"),
	[]byte("crawler"), []byte("spider"), []byte("slurp"),
	[]byte("headlesschrome"), []byte("phantomjs"), []byte("lighthouse"), []byte("pingdom"),
	[]byte("facebookexternalhit"), []byte("mediapartners-google"),
}

var cubot = []byte("cubot")

// isBot reports whether a user agent says that it is a robot's.
func isBot(userAgent []byte) bool {
	if len(userAgent) == 0 {
		return false
	}
	var buf [512]byte // user agents are shorter; what comes after is not looked at
	ua := buf[:copy(buf[:], userAgent)]
	for i, c := range ua {
		if 'A' <= c && c <= 'Z' {
			ua[i] = c + 'a' - 'A'
		}
	}
	if bytes.Contains(ua, cubot) {
		return false
	}
	for _, r := range robots {
		if bytes.Contains(ua, r) {
			return true
		}
	}
	return false
}

// isClient reports whether a request comes from a person's own device, so that
// its address and user agent are the person's: a page says its origin, and
// browsers and phones have user agents of their own kind. Servers have neither.
func isClient(origin, userAgent []byte) bool {
	return len(origin) > 0 ||
		bytes.HasPrefix(userAgent, []byte("Mozilla/")) ||
		bytes.HasPrefix(userAgent, []byte("Dalvik/")) ||
		bytes.Contains(userAgent, []byte("CFNetwork/"))
}
