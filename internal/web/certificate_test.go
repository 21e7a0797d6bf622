package web

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writePair writes a self-signed pair for a name, stamped at a time of its own.
func writePair(t *testing.T, certFile, keyFile, name string, modTime time.Time) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), modTime)
	write(t, keyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), modTime)
}

func write(t *testing.T, file string, data []byte, modTime time.Time) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, modTime, modTime); err != nil {
		t.Fatal(err)
	}
}

func TestTheCertificateIsReloaded(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
	at := time.Now().Add(-time.Hour)
	writePair(t, cert, key, "first.example", at)
	s, err := New(Config{Addr: "127.0.0.1:0", CertFile: cert, KeyFile: key}, Route{"/x/", "echo", echo})
	if err != nil {
		t.Fatal(err)
	}
	s.cert.every = time.Millisecond
	run(t, s)
	if !strings.HasPrefix(s.URL(), "https://127.0.0.1:") {
		t.Errorf("URL %s", s.URL())
	}
	served := func() string {
		t.Helper()
		conn, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2", "http/1.1"}})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, "GET /x/a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 200 OK")) {
			t.Fatalf("%q %v", answer, err)
		}
		return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	if got := served(); got != "first.example" {
		t.Errorf("at first: %s", got)
	}
	writePair(t, cert, key, "second.example", at.Add(time.Minute))
	for tries := 0; served() != "second.example"; tries++ {
		if tries == 10_000 {
			t.Fatal("the new certificate is not served")
		}
	}
}

// poll is what watch does at each tick; here without the ticks.
func TestABadCertificateKeepsTheOldOne(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
	at := time.Now().Add(-time.Hour)
	writePair(t, cert, key, "first.example", at)
	var log bytes.Buffer
	c, err := loadCertificate(cert, key, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	served := func() string {
		t.Helper()
		pair, err := c.config().GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf.Subject.CommonName
	}
	for _, step := range []struct {
		name   string
		change func()
		want   string
		logs   int // lines in all
	}{
		{"unchanged", func() {}, "first.example", 0},
		{"renewed", func() { writePair(t, cert, key, "second.example", at.Add(time.Minute)) }, "second.example", 1},
		{"broken", func() { write(t, cert, []byte("rubbish"), at.Add(2*time.Minute)) }, "second.example", 2},
		{"still broken", func() {}, "second.example", 2},
		{"gone", func() { os.Remove(cert) }, "second.example", 3},
		{"mended", func() { writePair(t, cert, key, "third.example", at.Add(3*time.Minute)) }, "third.example", 4},
		{"the key of another", func() {
			writePair(t, filepath.Join(dir, "other"), key, "other.example", at.Add(4*time.Minute))
		}, "third.example", 5},
	} {
		step.change()
		c.poll()
		if got := served(); got != step.want || strings.Count(log.String(), "\n") != step.logs {
			t.Errorf("%s: serving %s, log:\n%s", step.name, got, log.String())
		}
	}
}
