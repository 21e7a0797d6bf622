package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// fileResolver reads the file named by --config or TAGMILL_CONFIG, nil when
// there is none. Its keys are serve's flags; unknown keys are mistakes, all
// named at once with their lines.
func fileResolver(args []string) (kong.Resolver, error) {
	path, _ := environ("TAGMILL_CONFIG")
	for i, a := range args {
		if v, ok := strings.CutPrefix(a, "--config="); ok {
			path = v
		} else if a == "--config" && i+1 < len(args) {
			path = args[i+1]
		}
	}
	if path == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("configuration file: %w", err)
	}
	values, err := parseConfig(path, raw, serveFlagNames())
	if err != nil {
		return nil, err
	}
	return kong.ResolverFunc(func(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
		// Environment beats file.
		for _, env := range flag.Envs {
			if _, ok := environ(env); ok {
				return nil, nil
			}
		}
		return values[flag.Name], nil
	}), nil
}

func parseConfig(path string, raw []byte, known []string) (map[string]any, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("configuration file %s: %w", path, err)
	}
	values := map[string]any{}
	if len(doc.Content) == 0 {
		return values, nil
	}
	root := doc.Content[0]
	if root.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("configuration file %s: want keys and values, such as \"edge: 127.0.0.1:8080\"", path)
	}
	var errs []error
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, node := root.Content[i], root.Content[i+1]
		if !slices.Contains(known, key.Value) {
			errs = append(errs, fmt.Errorf("configuration file %s:%d: unknown key %q; the keys are serve's flags without dashes in front: %s", path, key.Line, key.Value, strings.Join(known, ", ")))
			continue
		}
		if _, dup := values[key.Value]; dup {
			errs = append(errs, fmt.Errorf("configuration file %s:%d: key %q is there twice", path, key.Line, key.Value))
		}
		switch node.Kind {
		case yaml.ScalarNode:
			values[key.Value] = node.Value
		case yaml.SequenceNode:
			var list []string
			if err := node.Decode(&list); err != nil {
				errs = append(errs, fmt.Errorf("configuration file %s:%d: %s: %w", path, node.Line, key.Value, err))
				continue
			}
			values[key.Value] = strings.Join(list, ",")
		default:
			errs = append(errs, fmt.Errorf("configuration file %s:%d: %s: want a value or a list of values", path, node.Line, key.Value))
		}
	}
	return values, errors.Join(errs...)
}

// serveFlagNames lists the flags a configuration file may set.
func serveFlagNames() []string {
	var cli struct {
		Serve serveCmd `cmd:""`
	}
	parser := kong.Must(&cli, defaults())
	var names []string
	for _, group := range parser.Model.Leaves(true)[0].AllFlags(true) {
		for _, f := range group {
			if f.Name != "help" && f.Name != "config" {
				names = append(names, f.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}
