package bundler

import (
	"context"
	"slices"
)

// Prices measures what each integration of an input adds: the bundle minus the
// bundle without it, both in final compression. It builds once per integration
// and once more, about 30 ms each: for the background, never for a flip.
// "runtime" is the bundle with no destination at all. A negative share is
// possible, if rare: compression is not a sum. It looks at ctx between builds.
// Errors: as Build, and the context's.
func (b *Bundler) Prices(ctx context.Context, in Input) (map[string]Share, error) {
	in, err := b.normalize(in)
	if err != nil {
		return nil, err
	}
	whole, err := b.size(in, "")
	if err != nil {
		return nil, err
	}
	shares := map[string]Share{}
	for _, slug := range slugs(in) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		rest, err := b.size(in, slug)
		if err != nil {
			return nil, err
		}
		shares[slug] = Share{Raw: whole.Raw - rest.Raw, Gzip: whole.Gzip - rest.Gzip, Brotli: whole.Brotli - rest.Brotli, Exact: true}
	}
	in.Destinations = nil
	if shares["runtime"], err = b.size(in, ""); err != nil {
		return nil, err
	}
	return shares, nil
}

// size builds and measures an input without one integration.
func (b *Bundler) size(in Input, without string) (Share, error) {
	in.Destinations = slices.DeleteFunc(slices.Clone(in.Destinations), func(d Destination) bool { return d.Slug == without })
	bundle, err := b.Build(in)
	if err != nil {
		return Share{}, err
	}
	e := Compress(bundle.JS, true)
	return Share{Raw: len(e.Identity), Gzip: len(e.Gzip), Brotli: len(e.Brotli), Exact: true}, nil
}
