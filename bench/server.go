//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// server is a process that a target runs, its output in a file.
type server struct {
	cmd *exec.Cmd
	log string
}

// startTimeout is far more than any server here needs.
const startTimeout = 15 * time.Second

// launch starts a program with that environment; death is the signal it gets
// when this process ends without stopping it.
func launch(dir, name string, env []string, death syscall.Signal, args ...string) (*server, error) {
	log, err := os.CreateTemp(dir, filepath.Base(name)+"-*.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: death}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &server{cmd: cmd, log: log.Name()}, nil
}

// await polls until ready says so, given what the server has printed.
func (s *server) await(ready func(output []byte) bool) error {
	for until := time.Now().Add(startTimeout); ; time.Sleep(5 * time.Millisecond) {
		output, err := os.ReadFile(s.log)
		if err != nil {
			return err
		}
		if ready(output) {
			return nil
		}
		if s.ended() || time.Now().After(until) {
			return fmt.Errorf("%s did not start: %s", s.cmd.Path, tail(output))
		}
	}
}

// ended reports whether the process is a zombie that only waits to be reaped.
func (s *server) ended() bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	return err != nil || bytes.HasPrefix(b[bytes.LastIndexByte(b, ')')+1:], []byte(" Z"))
}

func tail(output []byte) []byte {
	return bytes.TrimSpace(output[max(0, len(output)-1000):])
}

// stop ends the process and waits for it.
func (s *server) stop(signal syscall.Signal) {
	s.cmd.Process.Signal(signal)
	s.cmd.Wait()
}
