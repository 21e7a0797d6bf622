// Package faults holds the tests of what goes wrong: processes killed at work,
// full disks, bad configuration, damaged files, hostile clients, and secrets or
// scripts planted in every field. It has tests only. They run the real binary,
// or the whole App in this process, on real files and sockets.
//
//	go test ./e2e/faults               # the ordinary run
//	go test ./e2e/faults -args -long   # 500 kills
package faults
