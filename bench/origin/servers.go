package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// startOurs runs this same program as the origin, on core 0.
func startOurs(size int) (*contender, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("taskset", "-c", "0", self, "-serve", "-bytes", strconv.Itoa(size))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop := func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() }
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		stop()
		return nil, fmt.Errorf("the origin did not start: %w", err)
	}
	return &contender{name: "tagmill", url: strings.TrimSpace(line), pid: cmd.Process.Pid, stop: stop}, nil
}

// nginxConf serves one file as well as nginx can: no logs, an open-file
// cache, keep-alive without limit, one worker.
const nginxConf = `
worker_processes 1;
daemon off;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log crit;
events { worker_connections 1024; }
http {
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  open_file_cache max=100 inactive=1h;
  open_file_cache_valid 1h;
  client_body_temp_path %[1]s/t1; proxy_temp_path %[1]s/t2; fastcgi_temp_path %[1]s/t3;
  uwsgi_temp_path %[1]s/t4; scgi_temp_path %[1]s/t5;
  types { }
  default_type "text/javascript; charset=utf-8";
  server {
    listen 127.0.0.1:%[2]d;
    root %[1]s/www;
    add_header Content-Encoding br;
    add_header Cache-Control "max-age=60, s-maxage=60, stale-while-revalidate=30, stale-if-error=86400";
    add_header Vary Accept-Encoding;
    add_header Access-Control-Allow-Origin *;
    add_header Cross-Origin-Resource-Policy cross-origin;
    add_header Timing-Allow-Origin *;
    add_header X-Content-Type-Options nosniff;
  }
}
`

func startNginx(dir string, size int) (*contender, error) {
	file := filepath.Join(dir, "www", filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(file, body(size), 0o644); err != nil {
		return nil, err
	}
	// Its worker drops privileges and must still reach the file.
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, dir, port), 0o644); err != nil {
		return nil, err
	}
	cmd := exec.Command("taskset", "-c", "0", nginxBinary(), "-c", conf, "-e", filepath.Join(dir, "error.log"))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start nginx (make setup-bench installs it): %w", err)
	}
	c := &contender{name: "nginx", url: "http://127.0.0.1:" + strconv.Itoa(port),
		stop: func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() }}
	for deadline := time.Now().Add(10 * time.Second); ; {
		res, err := http.Get(c.url + path)
		if err == nil {
			res.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			c.stop()
			return nil, fmt.Errorf("nginx does not answer: %w", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if c.pid, err = child(cmd.Process.Pid); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

// nginxBinary finds nginx where Debian puts it, outside the PATH of users.
func nginxBinary() string {
	if found, err := exec.LookPath("nginx"); err == nil {
		return found
	}
	return "/usr/sbin/nginx"
}

// child finds the worker process that a master started.
func child(pid int) (int, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0, err
	}
	first := bytes.Fields(raw)
	if len(first) == 0 {
		return 0, errors.New("nginx has no worker")
	}
	return strconv.Atoi(string(first[0]))
}

func freePort() (int, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port, nil
}
