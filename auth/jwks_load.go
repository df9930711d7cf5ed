package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/MicahParks/jwkset"
)

// maxKeySet and maxKeys bound what a key server can make us hold and, for
// tokens without a key ID, try.
const (
	maxKeySet = 1 << 20 // bytes
	maxKeys   = 100
)

// parse keeps the public signature keys of our algorithms and passes over the
// rest, which other users of the set may need.
func (s *keySet) parse(b []byte) ([]jwkset.JWK, error) {
	var set jwkset.JWKSMarshal
	if err := json.Unmarshal(b, &set); err != nil {
		return nil, fmt.Errorf("is no JSON Web Key Set: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("has %d keys, more than %d", len(set.Keys), maxKeys)
	}
	var keys []jwkset.JWK
	for _, m := range set.Keys {
		key, err := signatureKey(m)
		if err != nil {
			s.logger.Debug("passed over a key of the JSON Web Key Set", "kid", m.KID, "cause", err)
			continue
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, errors.New("holds no key for RS256, ES256 or EdDSA")
	}
	return keys, nil
}

func signatureKey(m jwkset.JWKMarshal) (jwkset.JWK, error) {
	if m.USE != "" && m.USE != jwkset.UseSig || len(m.KEYOPS) > 0 && !slices.Contains(m.KEYOPS, jwkset.KeyOpsVerify) {
		return jwkset.JWK{}, errors.New("not for signatures")
	}
	// Certificates say nothing here, and their address must not be fetched.
	m.X5U, m.X5C, m.X5T, m.X5TS256 = "", nil, "", ""
	key, err := jwkset.NewJWKFromMarshal(m, jwkset.JWKMarshalOptions{}, jwkset.JWKValidateOptions{})
	if err != nil {
		return jwkset.JWK{}, err
	}
	alg, err := algorithm(key.Key())
	if err == nil && m.ALG != "" && m.ALG.String() != alg {
		err = fmt.Errorf("for %s", m.ALG)
	}
	return key, err
}

// loader says how to read the set, and whether over the network.
func loader(where string) (load func(context.Context) ([]byte, error), remote bool, err error) {
	if !strings.Contains(where, "://") {
		return func(context.Context) ([]byte, error) { return readFile(where) }, false, nil
	}
	u, err := url.Parse(where)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, false, errors.New("JWKS: an https:// or http:// URL or the name of a file is needed")
	}
	client := &http.Client{
		// One request every few minutes: no connection to keep.
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true},
		CheckRedirect: safeRedirect,
	}
	return func(ctx context.Context) ([]byte, error) { return get(ctx, client, where) }, true, nil
}

// safeRedirect does not leave TLS: who can change the answer makes the keys.
func safeRedirect(r *http.Request, via []*http.Request) error {
	if len(via) >= 5 {
		return errors.New("redirected too often")
	}
	if via[0].URL.Scheme == "https" && r.URL.Scheme != "https" {
		return errors.New("redirected from https to " + r.URL.Scheme)
	}
	return nil
}

func get(ctx context.Context, client *http.Client, where string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	answer, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", bare(r.URL), withoutURL(err))
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answered %s", bare(r.URL), answer.Status)
	}
	return readAll(answer.Body)
}

// bare is an address without what may be secret in it: user and query.
func bare(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// withoutURL is the cause of a request's failure: the client's error names the
// address as it was given.
func withoutURL(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f)
}

func readAll(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxKeySet+1))
	if err == nil && len(b) > maxKeySet {
		err = fmt.Errorf("is larger than %d bytes", maxKeySet)
	}
	return b, err
}
