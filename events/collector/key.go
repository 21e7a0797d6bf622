package collector

import (
	"bytes"
	"encoding/base64"
)

// An unknown write key of fewer or more bytes is a mistake that its sender
// should hear of.
const (
	minKey = 4
	maxKey = 256
)

// basicKey reads the write key from an Authorization header: the user name of
// Basic, with the colon or, as some clients have it, without. Other schemes
// say nothing about the write key.
func basicKey(authorization []byte) []byte {
	const scheme = "basic "
	if len(authorization) <= len(scheme) || !bytes.EqualFold(authorization[:len(scheme)], []byte(scheme)) {
		return nil
	}
	encoded := bytes.TrimRight(bytes.TrimSpace(authorization[len(scheme):]), "=")
	if len(encoded) > 400 {
		return nil
	}
	user, err := base64.RawStdEncoding.AppendDecode(nil, encoded)
	if err != nil {
		return nil
	}
	user, _, _ = bytes.Cut(user, []byte{':'})
	return user
}
