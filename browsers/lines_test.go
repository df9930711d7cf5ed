package browsers

import (
	"fmt"
	"os/exec"
	"testing"
	"time"

	"runnel/hubtest"
	"runnel/streams/streamstest"
)

// TestLinesOfALog: lines go through `runnel publish` to one node, browsers
// follow on another, and each node is killed and started again meanwhile: all
// lines arrive, once each and in order.
func TestLinesOfALog(t *testing.T) {
	t.Parallel()
	redis := streamstest.StartRedis(t)
	in, out := hubtest.Start(t, "--store", redis.URL()), hubtest.Start(t, "--store", redis.URL())
	const count = 300
	pages := everywhere(t, view{hub: out.URL, channels: []string{"log"}})
	publish := exec.Command(hubtest.Program, "publish", "log", "--json", "--url", in.URL)
	said := &hubtest.Output{}
	publish.Stderr = said
	lines, err := publish.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := publish.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- publish.Wait() }()
	t.Cleanup(func() { publish.Process.Kill() })
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for i := 1; i <= count; i++ {
		<-tick.C
		if _, err := fmt.Fprintf(lines, `{"n":%d,"line":"%2d 0 0 61824 %d"}`+"\n", i, i%7, i*17); err != nil {
			t.Fatal(err)
		}
		switch i {
		case count / 3:
			out.Kill()
			out.Restart()
		case 2 * count / 3:
			in.Kill()
			in.Restart()
		}
	}
	lines.Close()
	if err := <-ended; err != nil {
		t.Fatalf("runnel publish: %v\n%s", err, said)
	}
	for _, page := range pages {
		page.within("the last line", func() bool { return len(page.events("log")) >= count })
		for i, e := range page.events("log") {
			if e.n != i+1 {
				t.Fatalf("%s: line %d came as number %d", page.label, e.n, i+1)
			}
		}
		if got := len(page.events("log")); got != count || len(page.gaps()) > 0 {
			t.Errorf("%s: %d lines, gaps %+v", page.label, got, page.gaps())
		}
	}
}
