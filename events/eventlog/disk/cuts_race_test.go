//go:build race

package disk

// The race detector makes each cut ten times as slow.
const powerCuts = 100
