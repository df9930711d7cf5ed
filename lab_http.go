package main

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"runnel/web"
)

const (
	labPath = "/lab/proxies"
	// maxLabBody is far more than the switches need.
	maxLabBody = 1 << 10
	// maxLabCut is the longest life in seconds that a switch can give.
	maxLabCut = 3600
)

// demoPages are the hub's pages and what the firewall lab asks for.
type demoPages struct {
	*web.Pages
	lab     *lab
	allowed func(*http.Request) error // who may
}

// Has reports whether something answers at the path.
func (d demoPages) Has(path string) bool {
	return path == labPath || strings.HasPrefix(path, labPath+"/") || d.Pages.Has(path)
}

// ServeHTTP implements http.Handler.
func (d demoPages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id, one := strings.CutPrefix(r.URL.Path, labPath+"/")
	switch {
	case !one && r.URL.Path != labPath:
		d.Pages.ServeHTTP(w, r)
	case d.allowed(r) != nil:
		refuseLab(w, http.StatusForbidden, "forbidden", "the lab answers pages of this machine only")
	case !one && r.Method == http.MethodPost:
		d.begin(w, r)
	case one && r.Method == http.MethodPut:
		d.set(w, r, id)
	case one && r.Method == http.MethodDelete:
		d.remove(w, id)
	default:
		w.Header().Set("Allow", map[bool]string{false: "POST", true: "PUT, DELETE"}[one])
		refuseLab(w, http.StatusMethodNotAllowed, "method_not_allowed", "a proxy is made with POST "+labPath+", set with PUT and ended with DELETE")
	}
}

func (d demoPages) begin(w http.ResponseWriter, r *http.Request) {
	id, address, err := d.lab.begin()
	if err != nil {
		if !errors.Is(err, errLabFull) && !errors.Is(err, errLabClosed) {
			d.lab.log.Error("making a proxy for the firewall lab", "cause", err)
			err = errors.New("no proxy could be made; the hub's log says why")
		}
		w.Header().Set("Retry-After", "60")
		refuseLab(w, http.StatusServiceUnavailable, "unavailable", err.Error())
		return
	}
	w.Header().Set("Location", labPath+"/"+id)
	answerLab(w, http.StatusCreated, map[string]any{"id": id, "url": "http://" + address, "expires_in": int(labPatience / time.Second)})
}

func (d demoPages) set(w http.ResponseWriter, r *http.Request, id string) {
	faults, err := readLabFaults(http.MaxBytesReader(w, r.Body, maxLabBody))
	if err != nil {
		refuseLab(w, http.StatusBadRequest, "bad_request", err.Error())
		return
	}
	if !d.lab.set(id, faults) {
		refuseLab(w, http.StatusNotFound, "not_found", "there is no such proxy any more")
		return
	}
	answerLab(w, http.StatusOK, faults)
}

func (d demoPages) remove(w http.ResponseWriter, id string) {
	if !d.lab.remove(id) {
		refuseLab(w, http.StatusNotFound, "not_found", "there is no such proxy any more")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// readLabFaults reads one JSON object that names switches and nothing else.
func readLabFaults(body io.Reader) (f labFaults, err error) {
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&f); err != nil {
		return f, errors.New("the body is one JSON object of the lab's switches")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return f, errors.New("there is something behind the JSON object")
	}
	if f.CutAfter < 0 || f.CutAfter > maxLabCut {
		return f, errors.New("cut_after is a number of seconds from 0 to 3600")
	}
	return f, nil
}

func refuseLab(w http.ResponseWriter, status int, code, message string) {
	answerLab(w, status, map[string]any{"error": map[string]string{
		"code": code, "message": message, "request_id": w.Header().Get("X-Request-Id"),
	}})
}

// answerLab writes v; that the other side is gone is nobody's trouble.
func answerLab(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
