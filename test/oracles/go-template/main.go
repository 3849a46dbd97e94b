// The oracle of template/: what Go's text/template makes of a template with the functions of External Secrets
// Operator. JSON lines on stdin, answers in the same order on stdout:
//
//	{"id":"1","template":"{{ .a | upper }}","data":{"a":"<base64>"},"name":"k"}   (name: "k" unless given)
//	{"id":"1","out":"<base64>"}    or    {"id":"1","error":"<Go's text>"}
//
// An error that is no UTF-8 comes as "error64" besides. With -bench it measures instead, see bench.go. Build it
// outside of the tree; goldens.ts does so itself:
//
//	go build -C test/oracles/go-template -o "$(mktemp -d)/go-template" .
//	node test/oracles/go-template/goldens.ts [area ...]    rebuilds template/testdata/<area>.golden.jsonl
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"text/template"
	"time"
	"unicode/utf8"

	"github.com/Masterminds/sprig/v3"
)

type request struct {
	ID       string            `json:"id"`
	Name     string            `json:"name"`
	Template string            `json:"template"`
	Source   []byte            `json:"template64"`
	Data     map[string][]byte `json:"data"`
	// Plain leaves out every function but Go's built-in ones, some of which sprig's hide.
	Plain bool `json:"plain"`
}

type answer struct {
	ID      string  `json:"id"`
	Out     *[]byte `json:"out,omitempty"`
	Error   string  `json:"error,omitempty"`
	Error64 []byte  `json:"error64,omitempty"`
}

// functions are sprig's without those that External Secrets Operator leaves out, and its own over them.
func functions() template.FuncMap {
	all := sprig.TxtFuncMap()
	for _, name := range []string{"env", "expandenv", "getHostByName"} {
		delete(all, name)
	}
	for name, function := range esoFuncs() {
		all[name] = function
	}
	return all
}

// render runs one template with a limit, so that a runaway case of the fuzzer ends as an answer.
func render(r request, all template.FuncMap) ([]byte, error) {
	name := r.Name
	if name == "" {
		name = "k"
	}
	source := r.Template
	if r.Source != nil {
		source = string(r.Source)
	}
	if r.Plain {
		all = template.FuncMap{}
	}
	parsed, err := template.New(name).Option("missingkey=error").Funcs(all).Parse(source)
	if err != nil {
		return nil, err
	}
	data := map[string]string{}
	for key, value := range r.Data {
		data[key] = string(value)
	}
	type result struct {
		out []byte
		err error
	}
	done := make(chan result, 1)
	go func() {
		var out bytes.Buffer
		defer func() {
			if failure := recover(); failure != nil {
				done <- result{nil, fmt.Errorf("panic: %v", failure)}
			}
		}()
		err := parsed.Execute(&out, data)
		done <- result{out.Bytes(), err}
	}()
	select {
	case r := <-done:
		return r.out, r.err
	case <-time.After(10 * time.Second):
		return nil, fmt.Errorf("oracle: timeout")
	}
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "-bench" {
		if err := bench(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "oracle:", err)
			os.Exit(1)
		}
		return
	}
	all := functions()
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	defer out.Flush()
	decoder := json.NewDecoder(in)
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for decoder.More() {
		var r request
		if err := decoder.Decode(&r); err != nil {
			fmt.Fprintln(os.Stderr, "oracle:", err)
			os.Exit(1)
		}
		a := answer{ID: r.ID}
		rendered, err := render(r, all)
		switch {
		case err == nil:
			if rendered == nil {
				rendered = []byte{}
			}
			a.Out = &rendered
		default:
			a.Error = err.Error()
			if !utf8.ValidString(a.Error) {
				a.Error64 = []byte(a.Error)
			}
		}
		if err := encoder.Encode(a); err != nil {
			fmt.Fprintln(os.Stderr, "oracle:", err)
			os.Exit(1)
		}
		// Whoever asks one by one waits for the answer.
		if in.Buffered() == 0 {
			out.Flush()
		}
	}
}
