// Applies JSONPaths to a document with the library of ESO's webhook, as the expectation for
// providers/webhook/jsonpath.ts:
//
//	go run . > ../../../providers/webhook/testdata/jsonpath.golden.json
package main

import (
	"encoding/json"
	"os"

	"github.com/PaesslerAG/jsonpath"
)

const document = `{
  "store": {"book": [
    {"category": "reference", "author": "Rees", "title": "Sayings", "price": 8.95, "tags": ["a", "b"]},
    {"category": "fiction", "author": "Waugh", "title": "Sword", "price": 12.99, "isbn": "0-1"},
    {"category": "fiction", "author": "Melville", "title": "Moby Dick", "price": 8.99, "isbn": "0-2", "sold": true},
    {"category": "fiction", "author": null, "title": "", "price": 22, "sold": false}
  ], "bicycle": {"color": "red", "price": 20}},
  "dash-ed": 1, "with space": 2, "dot.ted": 3, "ünï": 4, "0": "zero", "null": null, "empty": [], "none": {},
  "deep": {"a": {"a": {"a": 1}}}, "list": [1, [2, 3], {"x": 4}], "text": "just text", "yes": true, "limit": 10
}`

var paths = []string{
	"$", "$.text", "$.store.bicycle.color", `$["text"]`, `$['text']`, `$["dash-ed"]`, `$.dash-ed`, `$["with space"]`, `$["dot.ted"]`, "$.ünï",
	`$["store"]["book"][0]["title"]`, "$.store.book[0].title", "$.store.book[3].author", "$.store.book[-1].title", "$.store.book[4]", "$.store.book.0.title",
	"$.nope", "$.store.nope.deeper", "$.text.deeper", "$.text[0]", "$.null", "$.null.x", "$.empty[0]", "$.empty", "$.none", "$.yes",
	"$.store.book[*].title", "$.store.book.*.title", "$.*", "$.store.*", "$.store.book[*].nope", "$.text.*", "$.empty[*]",
	"$..price", "$..a", "$..x", "$..book[0].title", "$..nope", "$.store..price", "$..*", "$..[0]", "$.list..*",
	"$.store.book[0:2].title", "$.store.book[1:].title", "$.store.book[:2].title", "$.store.book[-2:].title", "$.store.book[:-2].title", "$.store.book[0:4:2].title",
	"$.store.book[2:1].title", "$.store.book[::2].title", "$.store.book[0,2].title", "$.store.book[2,0].title", `$["text","yes"]`, `$['limit','text']`, "$.store.book[0,9].title", `$["text","nope"]`,
	`$.store.book[?(@.price < 10)].title`, `$.store.book[?(@.price>10)].title`, `$.store.book[?(@.price <= 8.95)].title`, `$.store.book[?(@.price >= 22)].title`,
	`$.store.book[?(@.category == "fiction")].title`, `$.store.book[?(@.category=='fiction')].title`, `$.store.book[?(@.category != "fiction")].title`, `$.store.book[?(@.isbn)].title`,
	`$.store.book[?(@.sold)].title`, `$.store.book[?(@.sold == true)].title`, `$.store.book[?(@.sold == false)].title`, `$.store.book[?(@.category == "fiction" && @.price < 10)].title`,
	`$.store.book[?(@.price > 20 || @.price < 8.96)].title`, `$.store.book[?((@.price > 20 || @.price < 8.96) && @.category == "fiction")].title`, `$.store.book[?(@.author =~ "^M")].title`,
	`$.store.book[?(@.author =~ "(?i)^m")].title`, `$.store.book[?(@.price < $.limit)].title`, `$.store.book[?(@.author == null)].title`, `$.store.book[?(@.title == "")].price`,
	`$.store[?(@.color == "red")].price`, `$.store.book[?(@.nope == 1)].title`, `$.store.book[?(@.tags[0] == "a")].title`, `$..book[?(@.price < 10)].title`, `$.list[?(@ == 1)]`, `$.list[?(@.x == 4)].x`,
	`$.store.book[?(!@.sold)].title`, `$.store.book[?(@.category !~ "^f")].title`, `$.store.book[?("a" == "a")].price`, `$.store.book[?(1 < 2)].price`,
	"$.store.book[", "$.store.book[0", "$.", "$..", "$x", "store.book", "", "$.a b", "$['a", "$[?(@.a]", "$[?()]", "$[]", `$[?(@.a == )]`, "$.store.book[a]", "$.store.book[0]extra", "$.store.book[?(@.x =~ \"(\")]",
}

type result struct {
	Path   string      `json:"path"`
	Error  string      `json:"error,omitempty"`
	Result interface{} `json:"result"`
}

func main() {
	var parsed interface{}
	if err := json.Unmarshal([]byte(document), &parsed); err != nil {
		panic(err)
	}
	results := []result{}
	for _, path := range paths {
		found, err := jsonpath.Get(path, parsed)
		one := result{Path: path, Result: found}
		if err != nil {
			one = result{Path: path, Error: err.Error()}
		}
		results = append(results, one)
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	out.SetIndent("", "  ")
	if err := out.Encode(map[string]interface{}{"document": parsed, "results": results}); err != nil {
		panic(err)
	}
}
