//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// processes are the processes of a server, by the first's id; its children
// count too.
type processes []int

// ticks is how many a second /proc counts; Linux shows users 100 everywhere.
const ticks = 100

// cpu returns the processes' user and system time since they began.
func (p processes) cpu() (total time.Duration, err error) {
	for _, pid := range p.family() {
		d, err := cpuOf(pid)
		if err != nil {
			return 0, err
		}
		total += d
	}
	return total, nil
}

// cpuOf takes the larger of two figures: stat counts threads that have ended
// too, but by 10 ms; schedstat counts living threads, by the nanosecond.
func cpuOf(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	user, system, err := parseStat(b)
	if err != nil {
		return 0, err
	}
	coarse := time.Duration(user+system) * time.Second / ticks
	var exact time.Duration
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, name := range threads {
		if b, err := os.ReadFile(name); err == nil {
			n, _ := strconv.ParseInt(firstField(b), 10, 64)
			exact += time.Duration(n)
		}
	}
	return max(coarse, exact), nil
}

// parseStat reads utime and stime, proc(5); the command before them may hold
// spaces and brackets.
func parseStat(b []byte) (user, system int64, err error) {
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) < 13 {
		return 0, 0, fmt.Errorf("stat of a process: %.100q", b)
	}
	if user, err = strconv.ParseInt(string(f[11]), 10, 64); err != nil {
		return 0, 0, err
	}
	system, err = strconv.ParseInt(string(f[12]), 10, 64)
	return user, system, err
}

// memory returns the resident bytes of the processes; what several share is
// counted once (PSS).
func (p processes) memory() (total int64, err error) {
	family := p.family()
	if len(family) == 1 {
		return field(fmt.Sprintf("/proc/%d/status", family[0]), "VmRSS:")
	}
	for _, pid := range family {
		n, err := field(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss:")
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// field returns a figure in kB of a file in /proc, in bytes.
func field(file, name string) (int64, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if value, ok := strings.CutPrefix(line, name); ok {
			n, err := strconv.ParseInt(firstField([]byte(value)), 10, 64)
			return n << 10, err
		}
	}
	return 0, fmt.Errorf("%s has no %s", file, name)
}

func firstField(b []byte) string {
	if f := bytes.Fields(b); len(f) > 0 {
		return string(f[0])
	}
	return ""
}

// family returns the processes and their descendants.
func (p processes) family() []int {
	all := append([]int(nil), p...)
	for i := 0; i < len(all); i++ {
		lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", all[i]))
		for _, name := range lists {
			b, _ := os.ReadFile(name)
			for _, text := range strings.Fields(string(b)) {
				if pid, err := strconv.Atoi(text); err == nil {
					all = append(all, pid)
				}
			}
		}
	}
	return all
}
