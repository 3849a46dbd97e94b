// The oracle of template/go-yaml.ts: what Kubernetes' yaml.Unmarshal makes of a text as a map[string]string, which is
// how External Secrets Operator reads templates of the scope KeysAndValues. It rewrites a golden file in place:
//
//	cd test/oracles/go-yaml && go run . ../../../template/testdata/string-map.golden.json
//
// The file is a list of {"text": ..., "map": {...}} or {"text": ..., "error": ...}; only the texts are read.
package main

import (
	"bytes"
	"encoding/json"
	"log"
	"os"

	"sigs.k8s.io/yaml"
)

type entry struct {
	Text  string            `json:"text"`
	Map   map[string]string `json:"map,omitempty"`
	Error string            `json:"error,omitempty"`
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: go-yaml FILE")
	}
	source, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	var entries []entry
	if err := json.Unmarshal(source, &entries); err != nil {
		log.Fatal(err)
	}
	for i := range entries {
		one := entry{Text: entries[i].Text, Map: map[string]string{}}
		if err := yaml.Unmarshal([]byte(one.Text), &one.Map); err != nil {
			one.Map, one.Error = nil, err.Error()
		}
		entries[i] = one
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(entries); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(os.Args[1], out.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
}
