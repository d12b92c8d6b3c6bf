//go:build !linux

package main

import "syscall"

// Without Pdeathsig a devcluster that is killed with SIGKILL leaves its
// processes behind.
func deathSignal(syscall.Signal) *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
