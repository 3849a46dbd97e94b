// Prints what Go makes of JSON, as the expectation for providers/go-json.ts and providers/property.ts:
//
//	go run . > ../../../providers/go-values.golden.json
//
// "marshal" is encoding/json reading with UseNumber and writing with Marshal, as a Vault client in Go does;
// "paths" is gjson on a text, for the subset of its syntax that is supported here.
package main

import (
	"encoding/json"
	"os"
	"strings"

	"github.com/tidwall/gjson"
)

var marshalInputs = []string{
	`{}`, `[]`, `null`, `true`, `"plain"`, `0`,
	`{"b":1,"a":{"z":[1,2, {"y":null}],"A":""}}`,
	`{"n":12345678901234567890,"f":1.50,"e":1E+3,"neg":-0,"tiny":1e-400}`,
	`{"html":"<a href=\"x\">&amp;</a>","<k>":"&"}`,
	`{"ctl":"\u0000\u0001\b\f\n\r\t\u001f\u007f","slash":"\/","quote":"\"\\"}`,
	"{\"ls\":\"\u2028\u2029\",\"esc\":\"\\u2028\"}",
	`{"lone":"\ud800","pair":"\ud83d\ude00","mixed":"a\udc00b"}`,
	`{"é":1,"z":2,"Z":3,"\ud83d\ude00":4,"\uffee":5,"":6,"a\u0000":7,"a":8}`,
	`{"p\u00e4ss":"p\"\u00e4\u20ac\n: {}"}`,
	`{"dup":1,"dup":2}`,
	`{"__proto__":{"x":1},"constructor":2}`,
	` { "spaced" : [ 1 , 2 ] } `,
}

var document = `{
  "name": {"first": "Tom", "last": "Anderson"},
  "age": 37, "big": 12345678901234567890, "ratio": 1.50, "yes": true, "none": null,
  "children": ["Sara", "Alex", "Jack"],
  "fav.movie": "Deer Hunter",
  "friends": [ {"first": "Dale", "nets": ["ig", "fb"]}, {"first": "Roger", "nets": []} ],
  "nested": { "a" : [1, {"b":"\u00e9\n\"x\""}] },
  "0": "zero", "": "empty", "a\"b": "quoted", "back\\slash": "bs", "esc\u0061ped": "unescaped"
}`

var paths = []string{
	"name", "name.last", "name.none", "age", "big", "yes", "none", "children", "children.1", "children.01",
	"children.-1", "children.3", "children.x", `fav\.movie`, "fav.movie", "friends.0.first", "friends.1.nets",
	"friends.0.nets.1", "nested", "nested.a.1.b", "nested.a.1", "0", "missing", "name.first.deeper",
	`a"b`, `back\\slash`, "escaped", "age.x",
}

type marshalCase struct {
	Input  string `json:"input"`
	Output string `json:"output"`
}

type pathCase struct {
	Path   string  `json:"path"`
	Result *string `json:"result"`
}

func main() {
	var golden struct {
		Marshal  []marshalCase `json:"marshal"`
		Document string        `json:"document"`
		Paths    []pathCase    `json:"paths"`
	}
	for _, input := range marshalInputs {
		decoder := json.NewDecoder(strings.NewReader(input))
		decoder.UseNumber()
		var value any
		if err := decoder.Decode(&value); err != nil {
			panic(err)
		}
		output, err := json.Marshal(value)
		if err != nil {
			panic(err)
		}
		golden.Marshal = append(golden.Marshal, marshalCase{input, string(output)})
	}
	golden.Document = document
	for _, path := range paths {
		found := gjson.Get(document, path)
		entry := pathCase{Path: path}
		if found.Exists() {
			text := found.String()
			entry.Result = &text
		}
		golden.Paths = append(golden.Paths, entry)
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(golden); err != nil {
		panic(err)
	}
}
