//go:build tools

// Package tools names the command to build, so that go.mod and go.sum cover it.
package tools

import (
	_ "helm.sh/helm/v4/cmd/helm"
)
