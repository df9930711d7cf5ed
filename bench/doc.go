//go:build linux

// Command bench is the load generator: it measures what the hub costs per
// delivery, connection and publish, beside a ceiling of its own, nginx with
// nchan, and any other hub that is named by URLs.
//
// Client and servers share the machine, so what counts is not the rate but
// the CPU time of the server's processes for each thing done; the client is
// one thread on epoll that costs as little as it can. Every event carries its
// source, its number and the time it was sent, and every subscriber checks
// that it gets all of them, once and in order, in every scenario.
//
// Begin with the run method of a scenario (scenario_*.go): it starts a hub,
// lets a crowd of subscribers connect, drives publishers and reads the
// processes' figures. The targets differ in their endpoints only (target.go).
package main
