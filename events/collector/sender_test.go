package collector

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tagmill/tagmill/events"
	"github.com/tagmill/tagmill/events/eventlog"
)

func TestOrigins(t *testing.T) {
	allowed := []string{"https://shop.example", "https://*.shop.example", "http://localhost:3000"}
	for origin, ok := range map[string]bool{
		"https://shop.example":            true,
		"HTTPS://Shop.Example":            true,
		"https://www.shop.example":        true,
		"https://a.b.shop.example":        true,
		"http://localhost:3000":           true,
		"":                                true, // not a page
		"http://shop.example":             false,
		"https://shop.example:8443":       false,
		"https://evilshop.example":        false,
		"https://shop.example.evil":       false,
		"https://.shop.example":           false,
		"https://localhost:3000":          false,
		"null":                            false,
		"https://www.shop.example.evil":   false,
		"https://evil.example#.shop.exam": false,
	} {
		b := newRig(t, Source{AllowedOrigins: allowed})
		b.want(b.post("/v1/t", track, "Origin", origin), 200)
		if ok {
			b.only(eventlog.Event)
			continue
		}
		b.only(eventlog.Discard)
		if codes := b.codes(); codes[0] != events.OriginNotAllowed {
			t.Errorf("%s: code %s", origin, codes[0])
		}
	}
}

func TestBots(t *testing.T) {
	for userAgent, bot := range map[string]bool{
		"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)":                           true,
		"Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0)":                        true,
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/131.0 Safari": true,
		"facebookexternalhit/1.1":                                      true,
		"Mozilla/5.0 Chrome-Lighthouse":                                true,
		"Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36": false,
		"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36":           false,
		"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Version/17.0 Mobile/15E148 Safari/6": false,
		"": false,
	} {
		for _, mode := range []Bots{"", BotsMark, BotsDrop} {
			inContext := strings.Replace(track, `"type"`, fmt.Sprintf(`"context":{"userAgent":%q},"type"`, userAgent), 1)
			for _, send := range []func(*rig){
				func(b *rig) {
					b.want(b.post("/v1/t", track, "Origin", "https://a.example", "User-Agent", userAgent), 200)
				},
				func(b *rig) { b.want(b.post("/v1/t", inContext, "User-Agent", "Go-http-client/1.1"), 200) },
			} {
				b := newRig(t, Source{Bots: mode})
				send(b)
				if bot && mode == BotsDrop {
					_, m := b.only(eventlog.Discard)
					if m["code"] != "bot" || m["event"] != nil {
						t.Errorf("%s: discard %v", userAgent, m)
					}
					continue
				}
				_, m := b.only(eventlog.Event)
				if got := m["context"].(map[string]any)["bot"] == true; got != bot {
					t.Errorf("%s: bot is %t, want %t", userAgent, got, bot)
				}
			}
		}
	}
}

func TestWhoSentIt(t *testing.T) {
	const browser = "Mozilla/5.0 (X11; Linux x86_64)"
	for _, test := range []struct {
		source  Source
		headers []string
		ip      any
		agent   any
		channel string
	}{
		{Source{}, []string{"Origin", "https://a.example", "User-Agent", browser}, "203.0.113.77", browser, "client"},
		{Source{}, []string{"User-Agent", browser}, "203.0.113.77", browser, "client"},
		{Source{}, []string{"User-Agent", "Shop/1 CFNetwork/1335 Darwin/21"}, "203.0.113.77", "Shop/1 CFNetwork/1335 Darwin/21", "client"},
		{Source{}, []string{"User-Agent", "Go-http-client/1.1"}, nil, nil, "server"},
		{Source{Address: events.AddressTruncated}, []string{"User-Agent", browser}, "203.0.113.0", browser, "client"},
		{Source{Address: events.AddressOff}, []string{"User-Agent", browser}, nil, browser, "client"},
	} {
		b := newRig(t, test.source)
		b.want(b.post("/v1/t", track, test.headers...), 200)
		_, m := b.only(eventlog.Event)
		context := m["context"].(map[string]any)
		if context["ip"] != test.ip || context["userAgent"] != test.agent || m["channel"] != test.channel {
			t.Errorf("%v: context %v, channel %v", test.headers, context, m["channel"])
		}
	}
}
