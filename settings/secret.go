package settings

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// Mask stands for a stored secret wherever settings are shown. It says nothing
// of the value, not even its length.
const Mask = "••••••••"

// A secret setting is kept as {refKey: ref} or {envKey: name}.
const (
	refKey    = "$secret"
	envKey    = "$env"
	envPrefix = "env:" // makes a name in envKey a ref
)

// Ref finds the reference in a value of Destination.Settings, for Store.Secret:
// a stored secret's, or "env:NAME" for {"$env": NAME}. ok is false for a plain value.
func Ref(value any) (ref string, ok bool) {
	m, isMap := value.(map[string]any)
	if !isMap || len(m) != 1 {
		return "", false
	}
	if ref, ok = m[refKey].(string); ok {
		return ref, true
	}
	if name, isEnv := m[envKey].(string); isEnv {
		return envPrefix + name, true
	}
	return "", false
}

func cutEnv(ref string) (name string, ok bool) { return strings.CutPrefix(ref, envPrefix) }

// envText is how a variable is written in documents and forms.
func envText(name string) string { return "${env:" + name + "}" }

// Sealed is one secret value, encrypted. It opens only under its own Ref and
// SourceID, so that rows cannot be exchanged in the database.
type Sealed struct {
	Ref      string `json:"ref"`
	SourceID string `json:"sourceId"`
	KeyID    string `json:"keyId"`
	Box      []byte `json:"box"` // nonce, ciphertext, tag
}

// Sealer encrypts and decrypts secrets with one key. Safe for concurrent use.
type Sealer struct {
	keyID string
	aead  cipher.AEAD
}

// KeySize is the length of a secret key in bytes.
const KeySize = 32

// NewSealer takes a key of KeySize random bytes, which it copies.
func NewSealer(key []byte) (*Sealer, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("secret key: has %d bytes, must have %d", len(key), KeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("secret key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("secret key: %w", err)
	}
	// Enough of a hash to tell keys apart, too little to search for the key.
	sum := sha256.Sum256(append([]byte("tagmill secret key id\x00"), key...))
	return &Sealer{keyID: hex.EncodeToString(sum[:4]), aead: aead}, nil
}

// KeyID tells keys apart: 8 hex digits, safe to store and to print.
func (s *Sealer) KeyID() string { return s.keyID }

// Seal encrypts value under a fresh ref.
func (s *Sealer) Seal(sourceID, value string) Sealed {
	out := Sealed{Ref: "sec_" + rand.Text(), SourceID: sourceID, KeyID: s.keyID}
	nonce := make([]byte, s.aead.NonceSize())
	rand.Read(nonce) // never fails: it would end the process
	out.Box = s.aead.Seal(nonce, nonce, []byte(value), sealContext(out))
	return out
}

// Open decrypts what Seal made.
func (s *Sealer) Open(v Sealed) (string, error) {
	if v.KeyID != s.keyID {
		return "", fmt.Errorf("open secret %s: %w", v.Ref, &WrongKey{Want: v.KeyID, Have: s.keyID})
	}
	n := s.aead.NonceSize()
	if len(v.Box) < n {
		return "", fmt.Errorf("open secret %s: damaged", v.Ref)
	}
	plain, err := s.aead.Open(nil, v.Box[:n], v.Box[n:], sealContext(v))
	if err != nil {
		return "", fmt.Errorf("open secret %s: damaged", v.Ref)
	}
	return string(plain), nil
}

func sealContext(v Sealed) []byte {
	return []byte("tagmill settings secret v1\x00" + v.Ref + "\x00" + v.SourceID)
}

// WrongKey says that secrets were encrypted with another key than the one given.
type WrongKey struct{ Want, Have string }

func (e *WrongKey) Error() string {
	have := "the key given is " + e.Have
	if e.Have == "" {
		have = "no key was given"
	}
	return fmt.Sprintf("secrets are encrypted with key %s, %s: start with the key these settings were made with (TAGMILL_SECRET_KEY, or the key file in the data folder)", e.Want, have)
}

// CheckKey reports a *WrongKey when secrets of the snapshot cannot be opened
// with sealer, which may be nil. Stores call it before they begin to serve.
func (s *Snapshot) CheckKey(sealer *Sealer) error {
	have := ""
	if sealer != nil {
		have = sealer.keyID
	}
	for _, v := range s.sealed {
		if v.KeyID != have {
			return &WrongKey{Want: v.KeyID, Have: have}
		}
	}
	return nil
}

// Secret opens the secret behind ref: a sealed one of this snapshot, or a
// variable that env finds. ErrNotFound when there is none. Either of sealer
// and env may be nil.
func (s *Snapshot) Secret(ref string, sealer *Sealer, env func(name string) (string, bool)) (string, error) {
	if name, isEnv := cutEnv(ref); isEnv {
		if env != nil {
			if v, ok := env(name); ok {
				return v, nil
			}
		}
		return "", fmt.Errorf("environment variable %s is not set: %w", name, ErrNotFound)
	}
	v, ok := s.sealed[ref]
	if !ok {
		return "", fmt.Errorf("secret %s: %w", ref, ErrNotFound)
	}
	if sealer == nil {
		return "", fmt.Errorf("open secret %s: %w", ref, &WrongKey{Want: v.KeyID})
	}
	return sealer.Open(v)
}

const noKey = "cannot be stored without a secret key: set TAGMILL_SECRET_KEY, or write ${env:NAME}"
