// The oracle of providers/gjson.ts: what github.com/tidwall/gjson finds. JSON lines on stdin, all texts base64, and
// answers in the same order on stdout:
//
//	{"json":"<base64>","path":"<base64>"}
//	{"type":"String","raw":"<base64>","text":"<base64>"}   or   {} if nothing exists   or   {"panic":true}
//
// Build it outside of the tree; oracle.ts does so itself.
package main

import (
	"bufio"
	"encoding/json"
	"os"

	"github.com/tidwall/gjson"
)

type request struct {
	JSON []byte `json:"json"`
	Path []byte `json:"path"`
}

type answer struct {
	Type  string  `json:"type,omitempty"`
	Raw   *[]byte `json:"raw,omitempty"`
	Text  *[]byte `json:"text,omitempty"`
	Panic bool    `json:"panic,omitempty"`
}

func get(r request) (a answer) {
	defer func() {
		if recover() != nil {
			a = answer{Panic: true}
		}
	}()
	found := gjson.Get(string(r.JSON), string(r.Path))
	if !found.Exists() {
		return answer{}
	}
	raw, text := []byte(found.Raw), []byte(found.String())
	return answer{Type: found.Type.String(), Raw: &raw, Text: &text}
}

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := json.NewEncoder(os.Stdout)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) > 1 {
			var r request
			if err := json.Unmarshal(line, &r); err != nil {
				panic(err)
			}
			if err := out.Encode(get(r)); err != nil {
				panic(err)
			}
		}
		if err != nil {
			return
		}
	}
}
