// Prints what Go makes of values and keys on their way into a Secret, as the expectation for sync/values.ts,
// sync/rewrite.ts and sync/rewrite-merge.ts:
//
//	go run . > ../../../sync/go-values.golden.json
//
// "base64" is encoding/base64 by both alphabets (null: refused), "regexp" is Regexp.ReplaceAllString, "members" is how
// a JSON object that was read with encoding/json into map[string]interface{} comes out member by member (strings bare,
// float64 by FormatFloat 'f', the rest by Marshal), and "object" the whole of it by an Encoder that leaves HTML alone.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
)

var base64Texts = []string{
	"", "YQ==", "YWI=", "YWJj", "YQ", "YQ=", "YWI", "YW==Jj", "YQ==\n", "Y\nQ=\r\n=", "\n", "YQ== ", " YQ==", "Y Q==", "YQ==YQ==", "====", "=",
	"YR==", "YWJ=", "-_-_", "+/+/", "-_+/", "+/==", "-_==", "/w==", "_w==", "//79", "password", "passwor", "12345678", "dGVz\tdA==",
	"aGVsbG8gd29ybGQ=", "aGVsbG8gd29ybGQ", "YQ==\x00", "w6Q=", "ä===", "A===", "AA=A", "AA==\n\n\r", "AAA=\n=", "AA=\n=",
}

var replacements = [][3]string{
	{"(.*)", "my_$1", "key"}, {"(.*)", "my_$1", ""}, {"a*", "x", "baac"}, {"^", "p-", "key"}, {"$", "-s", "key"}, {"/", "_", "a/b/c"},
	{"(\\w+)-(\\w+)", "$2-$1", "foo-bar"}, {"(\\w+)-(\\w+)", "${2}x$1", "foo-bar"}, {"(\\w+)", "$1x", "foo"}, {"(\\w+)", "${1}x", "foo"},
	{"(?P<n>o+)", "<$n>", "foo boo"}, {"(?P<n>o+)", "<${n}>", "foo boo"}, {"(?P<n>o+)", "$nx", "foo"}, {"o", "$$", "foo"}, {"o", "$", "foo"},
	{"o", "$0$0", "foo"}, {"o", "${", "foo"}, {"o", "$9", "foo"}, {"(?i)FOO", "bar", "fooFoo"}, {"path/to/(?:secret-)?", "", "path/to/secret-db"},
	{"[^a-z]", "_", "aä€😀z"}, {"", "-", "aä😀"}, {"x*", "-", "abxc"}, {"(a)|(b)", "[$1|$2]", "abc"}, {"\\.", "\\", "a.b"}, {"b", "$1", "abc"},
}

var objects = []string{
	`{}`, `{"s":"a\"b\n","e":"","n":null,"t":true,"f":false}`, `{"i":1,"neg":-7,"z":0,"nz":-0,"d":1.50,"h":0.1,"e":1e3,"E":1E-7,"big":1e21}`,
	`{"f0":100.0,"f1":123456789.25,"f2":1.7976931348623157e308,"f3":5e-324,"f4":-0.0,"f5":1e20,"f6":0.000001}`,
	`{"o":{"b":1.0,"a":[1.50,2e3,{"z":null,"y":1e-7}],"c":1e21},"l":[],"m":{}}`, `{"h":"<a>&","o":{"<":"&>"},"l":["<"]}`,
	`{"u":"ä€😀\u2028","\u00e4":1,"o":{"k":"\u2028<"}}`, `{"lone":"\ud800","o":["\ud800x"]}`, `{"dup":1,"dup":2}`,
	" {\n\"ws\" : [ 1 , 2 ] } ", `{"__proto__":"p","constructor":"c","o":{"__proto__":1}}`, `{"":"empty"}`, `null`,
	`[]`, `"s"`, `1`, `true`, ``, ` `, `{`, `{"a":1}x`, `{'a':1}`, `{"a":1e400}`, `{"a":01}`, `{"a":.5}`, `not json`,
}

type base64Case struct {
	Text []byte  `json:"text"`
	Std  *[]byte `json:"std"`
	URL  *[]byte `json:"url"`
}

type regexpCase struct {
	Source string `json:"source"`
	Target string `json:"target"`
	Key    string `json:"key"`
	Out    string `json:"out"`
}

type objectCase struct {
	JSON    string            `json:"json"`
	Refused bool              `json:"refused,omitempty"`
	Members map[string]string `json:"members,omitempty"`
	Object  string            `json:"object,omitempty"`
}

func decode(encoding *base64.Encoding, text string) *[]byte {
	out, err := encoding.DecodeString(text)
	if err != nil {
		return nil
	}
	return &out
}

func member(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	out, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(out)
}

func object(text string) objectCase {
	var parsed map[string]any
	if err := json.Unmarshal([]byte(text), &parsed); err != nil {
		return objectCase{JSON: text, Refused: true}
	}
	one := objectCase{JSON: text, Members: map[string]string{}}
	for key, value := range parsed {
		one.Members[key] = member(value)
	}
	if parsed == nil {
		parsed = map[string]any{}
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(parsed); err != nil {
		panic(err)
	}
	one.Object = strings.TrimRight(out.String(), "\n")
	return one
}

func main() {
	var golden struct {
		Base64  []base64Case `json:"base64"`
		Regexp  []regexpCase `json:"regexp"`
		Objects []objectCase `json:"objects"`
	}
	for _, text := range base64Texts {
		golden.Base64 = append(golden.Base64, base64Case{[]byte(text), decode(base64.StdEncoding, text), decode(base64.URLEncoding, text)})
	}
	for _, one := range replacements {
		out := regexp.MustCompile(one[0]).ReplaceAllString(one[2], one[1])
		golden.Regexp = append(golden.Regexp, regexpCase{one[0], one[1], one[2], out})
	}
	for _, text := range objects {
		golden.Objects = append(golden.Objects, object(text))
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false)
	out.SetIndent("", " ")
	if err := out.Encode(golden); err != nil {
		panic(err)
	}
}
