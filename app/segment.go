package app

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/tagmill/tagmill/settings"
)

// segmentSettings answers Segment's own browser client, which asks for
// settings instead of a bundle. It can load no integration of ours, so it is
// told of none: its events reach the collector, and server-side destinations
// are not its concern. Keys and defaults as Segment's client reads them.
func segmentSettings(collectorURL, writeKey string) ([]byte, error) {
	u, err := url.Parse(collectorURL)
	if err != nil {
		return nil, err
	}
	type object = map[string]any
	return json.Marshal(object{
		"integrations": object{
			"Segment.io": object{
				"apiKey":                writeKey,
				"apiHost":               u.Host + strings.TrimSuffix(u.Path, "/"), // without a scheme
				"protocol":              u.Scheme,
				"retryQueue":            true,
				"addBundledMetadata":    true,
				"unbundledIntegrations": []string{},
				"maybeBundledConfigIds": object{},
				"versionSettings":       object{"version": "4.4.7", "componentTypes": []string{"browser"}},
			},
		},
		"plan":                      object{"track": object{"__default": object{"enabled": true, "integrations": object{}}}},
		"edgeFunction":              object{},
		"analyticsNextEnabled":      true,
		"middlewareSettings":        object{},
		"enabledMiddleware":         object{},
		"metrics":                   object{"sampleRate": 0},
		"legacyVideoPluginsEnabled": false,
		"remotePlugins":             []any{},
	})
}

// settingsJSON is segmentSettings in the form publish asks for.
func settingsJSON(collectorURL string) func(*settings.Source, string) ([]byte, error) {
	return func(_ *settings.Source, writeKey string) ([]byte, error) {
		return segmentSettings(collectorURL, writeKey)
	}
}
