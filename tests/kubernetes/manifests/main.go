// manifests FILE...: every document of each file is read into the type that the API server would read
// it into. An unknown field, a duplicate one, a wrong type or a kind that is not listed here is an
// error.
package main

import (
	"bytes"
	"fmt"
	"os"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

var kinds = map[string]func() any{
	"v1 ConfigMap":       func() any { return new(core.ConfigMap) },
	"v1 Service":         func() any { return new(core.Service) },
	"v1 ServiceAccount":  func() any { return new(core.ServiceAccount) },
	"apps/v1 DaemonSet":  func() any { return new(apps.DaemonSet) },
	"apps/v1 Deployment": func() any { return new(apps.Deployment) },
}

func check(document []byte) (string, error) {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := yaml.Unmarshal(document, &head); err != nil {
		return "", err
	}
	kind := head.APIVersion + " " + head.Kind
	object, known := kinds[kind]
	if !known {
		return kind, fmt.Errorf("a kind that this program does not know")
	}
	return kind, yaml.UnmarshalStrict(document, object())
}

func main() {
	failed := false
	for _, file := range os.Args[1:] {
		text, err := os.ReadFile(file)
		if err != nil {
			fmt.Println(err)
			failed = true
			continue
		}
		for _, document := range bytes.Split(text, []byte("\n---\n")) {
			kind, err := check(document)
			if err != nil {
				failed = true
			}
			fmt.Println(file, kind, err)
		}
	}
	if failed || len(os.Args) < 2 {
		os.Exit(1)
	}
}
