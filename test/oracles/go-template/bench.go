package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"text/template"
	"time"

	"sigs.k8s.io/yaml"
)

// timed is a line of `-bench`: a template that is parsed once and executed for a while.
type timed struct {
	request
	// KeysAndValues: what was rendered is decoded as YAML besides, as the operator does.
	KeysAndValues bool `json:"keysAndValues"`
	// Milliseconds to go on for; once at least.
	Milliseconds int64 `json:"ms"`
}

type timing struct {
	// Nanoseconds an execution.
	Nanoseconds float64 `json:"ns"`
	Executions  int     `json:"n"`
	// The last output; nobody can be fast by doing nothing.
	Out []byte `json:"out"`
}

// bench answers each request as soon as it is measured.
func bench(in io.Reader, out io.Writer) error {
	decoder, encoder := json.NewDecoder(in), json.NewEncoder(out)
	for decoder.More() {
		var r timed
		if err := decoder.Decode(&r); err != nil {
			return err
		}
		measured, err := measure(r)
		if err != nil {
			return fmt.Errorf("%s: %w", r.ID, err)
		}
		if err := encoder.Encode(measured); err != nil {
			return err
		}
	}
	return nil
}

func measure(r timed) (timing, error) {
	parsed, err := template.New("k").Option("missingkey=error").Funcs(functions()).Parse(r.Template)
	if err != nil {
		return timing{}, err
	}
	data := map[string]string{}
	for key, value := range r.Data {
		data[key] = string(value)
	}
	var result timing
	start := time.Now()
	end := start.Add(time.Duration(r.Milliseconds) * time.Millisecond)
	for ; result.Executions == 0 || time.Now().Before(end); result.Executions++ {
		var rendered bytes.Buffer
		if err := parsed.Execute(&rendered, data); err != nil {
			return timing{}, err
		}
		if r.KeysAndValues {
			var decoded map[string]string
			if err := yaml.Unmarshal(rendered.Bytes(), &decoded); err != nil {
				return timing{}, err
			}
		}
		result.Out = rendered.Bytes()
	}
	result.Nanoseconds = float64(time.Since(start).Nanoseconds()) / float64(result.Executions)
	return result, nil
}
