package hubtest

import (
	"os/exec"
	"syscall"
	"testing"
)

// Beside starts another program in a folder, a proxy say, which may be where
// only root's PATH leads. The test's end ends it with SIGTERM, and logs what it
// said if the test failed. Whether it works by now is the test's to ask.
func Beside(t testing.TB, dir, name string, args ...string) *Output {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path = "/usr/sbin/" + name
	}
	said := &Output{}
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		if t.Failed() {
			t.Logf("%s says:\n%s", name, said)
		}
	})
	return said
}
