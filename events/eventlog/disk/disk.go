// Package disk is the embedded event log: one directory on one disk, one
// process. It owns group commit, the block format inside Pebble, named cursors,
// the disk budget and trimming, and reading a stopped server's log. It knows
// nothing of what a record's value means, nor of who reads it.
package disk
