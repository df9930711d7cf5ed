package docs

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"runnel/hubtest"
)

// TestReadme does what the README says, word for word and in its order, in a
// copy of the repository: its shell commands, its nginx configuration, and
// its lines of browser code. Only ports that are taken are other ones, and
// "make test", which runs this, is only looked at.
func TestReadme(t *testing.T) {
	t.Parallel()
	r := &reader{shell: startShell(t), ports: usualPorts(t)}
	r.environment()
	for _, f := range fences(document(t, "README.md")) {
		text := r.ports.Replace(strings.Join(f.lines, "\n") + "\n")
		switch f.info {
		case "sh":
			r.run(f, strings.ReplaceAll(text, "make test ", "make -n test >make.out "))
		case "js":
			r.browse(t, text)
		case "nginx":
			writeFile(t, filepath.Join(r.dir, "nginx.conf"), text)
		default:
			t.Errorf("README.md:%d: nothing runs %q", f.line, f.info)
		}
	}
}

// compiling is patience with a command that compiles the program first, on a
// machine that does other things too.
const compiling = 4 * time.Minute

// reader is somebody who follows the README.
type reader struct {
	*shell
	ports *strings.Replacer
}

// environment names the port that the README takes for granted.
func (r *reader) environment() {
	r.do(r.ports.Replace("export RUNNEL_LISTEN=127.0.0.1:8080 RUNNEL_URL=http://127.0.0.1:8080\n"))
}

func (r *reader) run(f fence, text string) {
	r.t.Helper()
	before := len(r.said())
	terminal, wanted := "", ""
	for _, note := range f.notes {
		kind, what, _ := strings.Cut(note, ": ")
		switch kind {
		case "terminal":
			terminal = what
		case "then":
			wanted = what
		}
	}
	r.t.Logf("README.md:%d\n%s", f.line, text)
	if terminal == "" {
		r.do(text)
	} else {
		r.do("(\n" + text + ") &\n")
		wanted = terminal
	}
	hubtest.WithinLong(r.t, compiling, fmt.Sprintf("README.md:%d: something says %q", f.line, wanted), func() bool {
		return strings.Contains(r.said()[before:], wanted)
	})
}

// browse runs lines of code in the hub's page, and sees whether they see what
// is published to the channel of the README.
func (r *reader) browse(t *testing.T, code string) {
	t.Helper()
	hub := r.ports.Replace("http://127.0.0.1:8080")
	process, endProcess := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.Flag("no-proxy-server", true))...)
	defer endProcess()
	tab, endTab := chromedp.NewContext(process)
	defer endTab()
	ctx, cancel := context.WithTimeout(tab, 2*patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(hub)); err != nil {
		t.Fatal(err)
	}
	const listen = "const said = []; console.log = (...what) => said.push(what.join(' '));\n"
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[int](listen+code+"\n0")); err != nil {
		t.Fatal(err)
	}
	within(t, "the browser sees what is published", func() bool {
		resp, err := web.Post(hub+"/channels/news/events", "application/json", strings.NewReader(`"for browsers"`))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusCreated {
			t.Fatal(resp.Status)
		}
		said, err := chromedp.Run(ctx, chromedp.Evaluate[string]("said.join('\\n')"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(said, "for browsers")
	})
}

// usualPorts are the README's, other ones for those that are taken.
func usualPorts(t testing.TB) *strings.Replacer {
	t.Helper()
	var pairs []string
	for _, port := range []string{"8080", "8081", "8082", "8000", "6379"} {
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			l, err = net.Listen("tcp", "127.0.0.1:0")
		}
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, free, _ := net.SplitHostPort(l.Addr().String())
		pairs = append(pairs, port, free)
	}
	return strings.NewReplacer(pairs...)
}

// shell is a shell in a copy of the repository, with everything that was
// started from it.
type shell struct {
	t   testing.TB
	dir string
	cmd *exec.Cmd
	in  *os.File
	out string // the file with what all of them say
	n   int
}

// startShell starts a shell, which the test ends, and all that it has started.
func startShell(t testing.TB) *shell {
	t.Helper()
	s := &shell{t: t, dir: t.TempDir()}
	copyRepository(t, s.dir)
	s.out = filepath.Join(t.TempDir(), "out")
	out, err := os.Create(s.out)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	in, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	s.in, s.cmd = write, exec.Command("bash", "-e")
	s.cmd.Dir, s.cmd.Stdin, s.cmd.Stdout, s.cmd.Stderr = s.dir, in, out, out
	s.cmd.Env = append(cleanEnvironment(), "PATH="+os.Getenv("PATH")+":/usr/sbin")
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
		s.cmd.Wait()
		write.Close()
		if t.Failed() {
			t.Logf("what was said:\n%s", s.said())
		}
	})
	return s
}

// do runs commands in the shell itself, so that it keeps what they export, and
// waits for their end. The first that fails ends the shell.
func (s *shell) do(text string) {
	s.t.Helper()
	s.n++
	done := filepath.Join(s.dir, fmt.Sprintf(".done-%d", s.n))
	if _, err := fmt.Fprintf(s.in, "{\n%s} </dev/null\ntouch %s\n", text, done); err != nil {
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(compiling); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(done); err == nil {
			return
		}
		var status syscall.WaitStatus
		if pid, _ := syscall.Wait4(s.cmd.Process.Pid, &status, syscall.WNOHANG, nil); pid != 0 || time.Now().After(deadline) {
			s.t.Fatalf("a command fails, or does not end:\n%s", text)
		}
	}
}

// said is what everything in the shell has said so far.
func (s *shell) said() string {
	b, err := os.ReadFile(s.out)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

// cleanEnvironment is without what would configure a hub.
func cleanEnvironment() (env []string) {
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "RUNNEL_") && !strings.HasPrefix(v, "PORT=") && !strings.HasPrefix(v, "REDIS_URL=") {
			env = append(env, v)
		}
	}
	return env
}

// copyRepository copies what a clone would have.
func copyRepository(t testing.TB, to string) {
	t.Helper()
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		switch target := filepath.Join(to, filepath.FromSlash(name)); {
		case err != nil:
			return err
		case entry.IsDir() && (name == ".git" || name == ".tools" || name == "bin" || entry.Name() == "node_modules"):
			return fs.SkipDir
		case entry.IsDir():
			return os.MkdirAll(target, 0o755)
		default:
			b, err := fs.ReadFile(root, name)
			if err != nil {
				return err
			}
			return os.WriteFile(target, b, 0o755)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}
