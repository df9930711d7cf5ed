//go:build linux

package main

import (
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	user, system, err := parseStat([]byte("42 (a ) b (c) S 1 42 42 0 -1 4194560 5 0 0 0 17 23 0 0 20 0 1 0 99"))
	if user != 17 || system != 23 || err != nil {
		t.Errorf("%d, %d, %v, want 17, 23", user, system, err)
	}
	if _, _, err := parseStat([]byte("42 (a) S 1")); err == nil {
		t.Error("a cut line is no error")
	}
}

// A busy loop's time is in the processes' CPU, as the system itself counts it.
func TestCPU(t *testing.T) {
	self := processes{os.Getpid()}
	before, err := self.cpu()
	if err != nil {
		t.Fatal(err)
	}
	begin := spent(t)
	for spent(t)-begin < 50*time.Millisecond {
	}
	after, err := self.cpu()
	if err != nil {
		t.Fatal(err)
	}
	if used, want := after-before, spent(t)-begin; used < want-20*time.Millisecond {
		t.Errorf("%v, want about %v", used, want)
	}
}

func spent(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Children's memory counts, what they share once.
func TestFamily(t *testing.T) {
	child := exec.Command("sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer child.Process.Kill()
	self := processes{os.Getpid()}
	if family := self.family(); !slices.Contains(family, child.Process.Pid) {
		t.Errorf("%v without the child %d", family, child.Process.Pid)
	}
	for _, p := range []processes{self, {child.Process.Pid}} {
		if memory, err := p.memory(); err != nil || memory <= 0 { // little, while it has just begun
			t.Errorf("memory of %v: %d, %v", p, memory, err)
		}
	}
}
