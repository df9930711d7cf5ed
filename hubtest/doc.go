// Package hubtest runs the built program for tests. Main, called by a folder's
// TestMain, builds it once; Start runs a hub of it on a free port, to be
// killed, stopped and restarted at the same address. What a hub says of itself
// is held against it: a data race, a panic or a wrong exit code fails the test.
//
// It is for tests only and has no code of the hub: what a hub answers is read
// by the tests, with clients of their own.
package hubtest
