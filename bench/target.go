//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// variant is one thing that a scenario measures.
type variant struct {
	Target    string `json:"target"`          // a name in starters
	Store     string `json:"store,omitempty"` // of runnel: memory, bolt or redis
	Transport string `json:"transport"`       // sse or ws
	Deflate   bool   `json:"deflate,omitempty"`
	Name      string `json:"name,omitempty"` // of the other hub
}

// String is how tables and progress name the variant.
func (v variant) String() string {
	name := v.Target
	if v.Name != "" {
		name = v.Name
	}
	if v.Store != "" && v.Store != "memory" {
		name += " on " + v.Store
	}
	name += map[string]string{"sse": ", SSE", "ws": ", WebSocket"}[v.Transport]
	if v.Deflate {
		name += ", deflate"
	}
	return name
}

// starters start a target in a fresh process.
var starters = map[string]func(*bench, variant) (*hub, error){
	"runnel":  startRunnel,
	"ceiling": startCeiling,
	"syscall": startCeiling,
	"nchan":   startNchan,
	"other":   attachOther,
}

// start starts the variant's hub; the caller stops it.
func (b *bench) start(v variant) (*hub, error) {
	h, err := starters[v.Target](b, v)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v.Target, err)
	}
	return h, nil
}

// variants are those of the targets that the options leave. Stores are of
// runnel alone; what others keep is in their memory.
func (b *bench) variants(targets, transports, stores string) (all []variant) {
	for _, target := range strings.Split(targets, ",") {
		if !b.wants(target) {
			continue
		}
		for _, transport := range strings.Split(transports, ",") {
			if b.Transport != "" && transport != b.Transport || target == "other" && !b.otherSpeaks(transport) {
				continue
			}
			v := variant{Target: target, Transport: transport}
			if target == "other" {
				v.Name = b.Name
			}
			if target != "runnel" {
				all = append(all, v)
				continue
			}
			for _, store := range strings.Split(stores, ",") {
				v.Store = store
				all = append(all, v)
			}
		}
	}
	return all
}

// wants reports whether a target is asked for and is there.
func (b *bench) wants(target string) bool {
	if len(b.Target) > 0 && !slices.Contains(b.Target, target) {
		return false
	}
	switch target {
	case "other":
		return b.PublishURL != ""
	case "nchan":
		_, err := os.Stat(nchanModule)
		return err == nil
	}
	return true
}

// build makes the hub's program, once, unless one is given.
func (b *bench) build() (string, error) {
	if b.Runnel != "" {
		return filepath.Abs(b.Runnel)
	}
	program := filepath.Join(b.dir, "runnel")
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	b.progress("building runnel")
	output, err := exec.Command("go", "build", "-o", program, "runnel").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, tail(output))
	}
	return program, nil
}
