//go:build !race

package disk

const powerCuts = 1000
