// SPDX-License-Identifier: Apache-2.0

// A stock pilot-agent, built from its published Go module.
package main

import (
	"os"

	meshconfig "istio.io/api/mesh/v1alpha1"
	"istio.io/istio/pilot/cmd/pilot-agent/app"
	istioagent "istio.io/istio/pkg/istio-agent"
	"istio.io/istio/pkg/security"
	"istio.io/istio/security/pkg/nodeagent/sds"
)

func main() {
	serve := func(o *security.Options, m security.SecretManager, k *meshconfig.PrivateKeyProvider) istioagent.SDSService {
		return sds.NewServer(o, m, k)
	}
	if err := app.NewRootCommand(serve).Execute(); err != nil {
		os.Exit(1)
	}
}
