//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// machine describes what the figures were taken on.
func machine() string {
	var name unix.Utsname
	unix.Uname(&name)
	memory, _ := field("/proc/meminfo", "MemTotal:")
	return fmt.Sprintf("%d cores, %s, %.0f GiB, Linux %s, %s",
		runtime.NumCPU(), processor(), float64(memory)/(1<<30), unix.ByteSliceToString(name.Release[:]), runtime.Version())
}

func processor() string {
	for line := range strings.Lines(string(readAll("/proc/cpuinfo"))) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// commit is the one checked out, and whether files differ from it.
func commit() string {
	id, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	text := string(bytes.TrimSpace(id))
	if changed, err := exec.Command("git", "status", "--porcelain", "--untracked-files=no").Output(); err == nil && len(changed) > 0 {
		text += ", with changes"
	}
	return text
}
