package browsers

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// publisher publishes numbered events to a channel and keeps account.
type publisher struct {
	t         testing.TB
	url       string // of the hub
	key       string // API key, "" in demo mode
	channel   string
	published []event
}

// publish publishes the next events; each has to be taken.
func (p *publisher) publish(count int) {
	p.t.Helper()
	for range count {
		if status, body := p.try(); status != http.StatusCreated {
			p.t.Fatalf("publishing: %d %s", status, body)
		}
	}
}

// try publishes the next event and enters it if it was taken. An event that
// was not has the same number and key the next time.
func (p *publisher) try() (status int, body string) {
	p.t.Helper()
	n := len(p.published) + 1
	status, body = p.post("", fmt.Sprint(n), fmt.Sprintf(`{"n":%d}`, n))
	if status == http.StatusCreated {
		var answer struct{ ID string }
		if err := json.Unmarshal([]byte(body), &answer); err != nil {
			p.t.Fatal(err)
		}
		p.published = append(p.published, event{p.channel, answer.ID, n})
	}
	return status, body
}

// whisper publishes an ephemeral event.
func (p *publisher) whisper(data string) {
	p.t.Helper()
	if status, body := p.post("?ephemeral=true", "", data); status != http.StatusAccepted {
		p.t.Fatalf("publishing an ephemeral event: %d %s", status, body)
	}
}

func (p *publisher) post(query, key, data string) (status int, body string) {
	p.t.Helper()
	req, err := http.NewRequest("POST", p.url+"/channels/"+p.channel+"/events"+query, strings.NewReader(data))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	if p.key != "" {
		req.Header.Set("Authorization", "Bearer "+p.key)
	}
	resp, err := web.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(b)
}
